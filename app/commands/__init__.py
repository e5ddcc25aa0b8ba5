"""Commands of `synglot` that measure: each parses its arguments and calls one function."""

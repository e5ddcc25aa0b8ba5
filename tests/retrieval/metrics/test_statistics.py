from __future__ import annotations

import numpy as np
import pytest

from retrieval.metrics.statistics import cluster_intervals


def test_an_interval_holds_the_mean_and_is_the_same_for_the_same_seed() -> None:
    values_QM = np.random.default_rng(0).random((200, 2))
    clusters = [str(index) for index in range(200)]
    first = cluster_intervals(values_QM, clusters, seed=3)
    assert first.shape == (2, 2)
    assert (first[:, 0] < values_QM.mean(axis=0)).all()
    assert (values_QM.mean(axis=0) < first[:, 1]).all()
    np.testing.assert_array_equal(first, cluster_intervals(values_QM, clusters, seed=3))
    assert (first != cluster_intervals(values_QM, clusters, seed=4)).any()


def test_an_interval_is_as_wide_as_the_normal_one_for_independent_queries() -> None:
    value_Q = np.random.default_rng(1).random(1000)
    low, high = cluster_intervals(value_Q[:, None], [str(i) for i in range(1000)], seed=0)[0]
    expected = 2 * 1.96 * value_Q.std() / np.sqrt(1000)
    assert high - low == pytest.approx(expected, rel=0.06)


def test_copies_in_one_cluster_do_not_narrow_the_interval() -> None:
    value_Q = np.random.default_rng(2).random(100)
    names = [str(index) for index in range(100)]
    once = cluster_intervals(value_Q[:, None], names, seed=0)
    many = cluster_intervals(np.tile(value_Q, 11)[:, None], names * 11, seed=0)
    np.testing.assert_allclose(once, many)


def test_the_means_of_clusters_of_different_sizes_are_ratios_of_sums() -> None:
    # Any resample of clusters that all have the mean .5 has the mean .5.
    values_QM = np.array([[0.5], [0.0], [1.0], [0.25], [0.5], [0.75]])
    interval = cluster_intervals(values_QM, ["a", "b", "b", "c", "c", "c"], seed=0)
    np.testing.assert_allclose(interval, [[0.5, 0.5]])

"""Batches on a cluster: files of any number → Parquet files, one for each part of the list."""

from tumorscope.detection.ray_batch.run import ClusterBatch, detect_on_ray

__all__ = ["ClusterBatch", "detect_on_ray"]

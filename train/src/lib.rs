//! Training of networks: the trainer, checkpoints, run folders, metrics and pictures.

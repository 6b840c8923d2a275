//! Nothing: the package is for its benchmarks and scripts.

#!/bin/sh
# Kills a training run 200 times at random and checks each time that its checkpoint is whole and a state that existed.
set -eu
cd "$(dirname "$0")/.."
cargo test -p cnn-train --test kill a_run_killed_200_times -- --ignored --nocapture

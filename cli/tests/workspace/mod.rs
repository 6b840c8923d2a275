//! A folder in which commands run, and the data that they are given.

// Not every test uses everything.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A folder in which commands run.
pub struct Workspace(TempDir);

impl Workspace {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
        command.args(args).current_dir(self.0.path());
        for name in ["ISA", "PASSES", "THREADS", "ALGORITHM", "TUNING", "PACKED"] {
            command.env_remove(format!("CNN_{name}"));
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What the command prints to the standard output; it must succeed.
    pub fn prints(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the command says when it refuses, with status 1 and nothing on the standard output.
    pub fn refuses(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        stderr(&output)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Training and test data as MNIST's files, of three classes that are easy to tell apart: which third of the picture is
    /// bright.
    pub fn digits(&self, folder: &str, train: usize, test: usize) {
        fs::create_dir_all(self.path(folder)).unwrap();
        for (part, count) in [("train", train), ("t10k", test)] {
            let labels: Vec<u8> = (0..count).map(|i| (i * 7 % 3) as u8).collect();
            let pixels = |i: usize, label: u8| {
                (0..64).map(move |p| {
                    let noise = ((i * 31 + p * 17) % 60) as u8;
                    if p / 8 * 3 / 8 == usize::from(label) { 190 + noise } else { noise }
                })
            };
            let images: Vec<u8> = labels.iter().enumerate().flat_map(|(i, label)| pixels(i, *label)).collect();
            self.write(&format!("{folder}/{part}-images-idx3-ubyte"), idx(&[count, 8, 8], &images));
            self.write(&format!("{folder}/{part}-labels-idx1-ubyte"), idx(&[count], &labels));
        }
    }
}

/// An IDX file of bytes.
pub fn idx(sizes: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend((*size as u32).to_be_bytes()));
    bytes.extend(data);
    bytes
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

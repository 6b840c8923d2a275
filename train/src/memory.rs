//! How much memory a run can have.

use std::fs;
use std::path::Path;

/// Bytes of a process that trains, without data, batches and networks: its code, threads and heap. With the `cnn` command
/// on Linux, what a run took beyond the rest of the prediction was 12 to 20 MB, for LeNet and a small network with batch
/// norms, with batches of 1 to 1024: the greatest resident set of `/usr/bin/time -v cnn train MODEL --batch N`.
pub(crate) const PROGRAM: u64 = 20_000_000;

/// Bytes that this process can still take: what the system says to have, and what its control groups leave of their
/// limits. None where neither is known: on systems other than Linux.
pub(crate) fn available() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| in_system(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    // Version 2 has one line, `0::/path`; inside of a container the path is the root's. Every group above limits, too.
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let folders = Path::new(path).ancestors().map(|group| root.join(group));
    let groups = folders.chain([root.join("memory")]).filter_map(|folder| in_group(&folder));
    groups.chain(system).min()
}

/// `MemAvailable:   12345 kB`.
fn in_system(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What a control group leaves, of version 2 or 1.
fn in_group(folder: &Path) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    // Files that were read are counted as used, and are let go of as soon as memory is wanted.
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")).and_then(|text| text.parse().ok());
    Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(in_system("MemTotal:  9 kB\nMemAvailable:       3 kB\n"), Some(3072));
        assert_eq!(in_system("MemTotal:  9 kB\n"), None);
        for (files, left) in [
            (&[("memory.max", "1000"), ("memory.current", "400")][..], Some(600)),
            (
                &[("memory.max", "1000"), ("memory.current", "400"), ("memory.stat", "a 1\ninactive_file 100\n")],
                Some(700),
            ),
            (&[("memory.limit_in_bytes", "10\n"), ("memory.usage_in_bytes", "40\n")], Some(0)),
            (&[("memory.max", "max"), ("memory.current", "400")], None),
            (&[], None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
            assert_eq!(in_group(folder.path()), left, "{files:?}");
        }
    }

    #[test]
    fn linux_knows_its_memory() {
        assert!(!cfg!(target_os = "linux") || available().is_some_and(|bytes| bytes > 1 << 20));
    }
}

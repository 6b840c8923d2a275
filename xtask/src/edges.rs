//! Which crate may depend on which: ARCHITECTURE.md's first invariants.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::path::Path;

/// A crate of the workspace and the crates of the workspace it may name. Test crates may name anything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cnn-ir", &[]),
    ("cnn-data", &[]),
    ("cnn-dsl", &["cnn-ir", "cnn-recipe"]),
    ("cnn-codegen", &["cnn-dsl", "cnn-ir"]),
    ("cnn-macros", &["cnn-codegen"]),
    ("cnn-runtime", &["cnn-ir"]),
    ("cnn-recipe", &[]),
    ("cnn-train", &["cnn-data", "cnn-ir", "cnn-recipe", "cnn-runtime"]),
    ("cnn", &["cnn-ir", "cnn-macros", "cnn-runtime"]),
    ("cnn-models", &["cnn", "cnn-codegen"]),
    ("cnn-cli", &["cnn", "cnn-codegen", "cnn-data", "cnn-dsl", "cnn-models", "cnn-recipe", "cnn-train"]),
];

/// Crates that only look at the others; nothing may depend on them.
const OUTSIDE: &[&str] = &["cnn-tests", "cnn-bench", "xtask"];

/// Foreign crates with one owner.
const OWNED: &[(&str, &str)] = &[
    ("luminal", "cnn-runtime"),
    ("luminal_cuda", "cnn-runtime"),
    ("cudarc", "cnn-runtime"),
    ("pest", "cnn-dsl"),
    ("syn", "cnn-codegen"),
];

/// Every edge that must not be.
pub fn check(root: &Path) -> Vec<String> {
    let metadata = match MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec() {
        Ok(metadata) => metadata,
        Err(error) => return vec![format!("cargo metadata: {error}")],
    };
    let members: Vec<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    metadata.packages.iter().flat_map(|package| check_package(package, &members)).collect()
}

fn check_package(package: &Package, members: &[&str]) -> Vec<String> {
    let name = package.name.as_str();
    let allowed = ALLOWED.iter().find(|(owner, _)| *owner == name).map(|(_, allowed)| *allowed);
    if allowed.is_none() && !OUTSIDE.contains(&name) {
        return vec![format!("`{name}` is not in the table of crates in xtask/src/edges.rs")];
    }
    let mut problems = Vec::new();
    for dependency in &package.dependencies {
        let target = dependency.name.as_str();
        let is_inner = members.contains(&target) && dependency.kind != DependencyKind::Development;
        if is_inner && allowed.is_some_and(|allowed| !allowed.contains(&target)) {
            problems.push(format!("`{name}` must not depend on `{target}`"));
        }
        if let Some((_, owner)) = OWNED.iter().find(|(owned, owner)| *owned == target && *owner != name) {
            problems.push(format!("`{name}` must not depend on `{target}`: only `{owner}` does"));
        }
    }
    problems
}

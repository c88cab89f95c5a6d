//! Building for bare metal: the hypervisor's image and the guest kernels.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{paths, proc, symbols, toolchain};

/// Whether the hypervisor's indirect branches go through a thunk, which it makes a retpoline
/// where the processor needs one: see `docs/security.md`.
const THUNKS: bool = false;

/// Builds the hypervisor and puts it at `target/xenios`, its symbols beside it in
/// `target/xenios.sym`. Returns the image's path.
pub fn image(debug: bool) -> Result<PathBuf> {
    let built = cargo(
        "hypervisor image",
        &["-p", "xenios", "--bin", "xenios"],
        THUNKS,
        debug,
    )?;
    let image = paths::image();
    copy(&built.join("xenios"), &image)?;
    // `nm` is in the package that the Rust compiler's linker comes with.
    let symbols = proc::output(Command::new("nm").args(["-n", "-C"]).arg(&image))?;
    let mut bytes = fs::read(&image)?;
    symbols::fill(&mut bytes, &symbols)?;
    let part = image.with_extension("new");
    fs::write(&part, bytes)?;
    fs::set_permissions(&part, fs::metadata(&image)?.permissions())?;
    fs::rename(&part, &image)?;
    fs::write(image.with_extension("sym"), symbols)?;
    Ok(image)
}

/// Builds the guest kernels into `target/guests/` and returns their names.
pub fn guests() -> Result<Vec<String>> {
    let names = guest_names()?;
    let built = cargo(
        "guest kernels",
        &["-p", "guest-kernels", "--bins"],
        false,
        false,
    )?;
    fs::create_dir_all(paths::target().join("guests"))?;
    for name in &names {
        copy(&built.join(name), &paths::guest(name))?;
    }
    Ok(names)
}

/// The guest kernels there are: one for each file or folder in `guests/kernels/src/bin`.
pub fn guest_names() -> Result<Vec<String>> {
    let dir = paths::root().join("guests/kernels/src/bin");
    let mut names: Vec<String> = fs::read_dir(&dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .flatten()
        .filter_map(|entry| kernel_name(&entry.path()))
        .collect();
    names.sort();
    if names.is_empty() {
        bail!("no guest kernels in {}", dir.display());
    }
    Ok(names)
}

/// The kernel that `path` is the source of: `NAME.rs`, or `NAME/` with a `main.rs`.
fn kernel_name(path: &Path) -> Option<String> {
    let single = path.extension().is_some_and(|ext| ext == "rs");
    let name = if single || path.join("main.rs").exists() {
        path.file_stem()
    } else {
        None
    };
    Some(name?.to_str()?.to_owned())
}

/// Runs cargo for bare metal; returns where the binaries are. With `thunks` indirect branches
/// become calls of a thunk; all of that has a folder of its own, `core` included.
fn cargo(what: &str, args: &[&str], thunks: bool, debug: bool) -> Result<PathBuf> {
    let dir = if thunks { "metal-thunks" } else { "metal" };
    let mut command = toolchain::find()?.cargo_build(dir, thunks);
    command.current_dir(paths::root()).args(args);
    if !debug {
        command.arg("--release");
    }
    let log = paths::logs()?.join(format!("build-{}.log", what.replace(' ', "-")));
    proc::step(&format!("building {what}"), &mut command, &log)?;
    let profile = if debug { "debug" } else { "release" };
    Ok(paths::target()
        .join(dir)
        .join(toolchain::TARGET)
        .join(profile))
}

/// Copies a built file into place at once, so that a running QEMU never sees half of it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let part = to.with_extension("new");
    fs::copy(from, &part).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::rename(&part, to).with_context(|| format!("cannot replace {}", to.display()))
}

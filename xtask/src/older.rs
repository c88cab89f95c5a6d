//! Debian 12's kernel, for a guest that is older than dom0: fetched by apt with settings of its
//! own, unpacked, and kept in the per-user cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{host, paths, proc};

/// The files and their names in dom0: the kernel and the two front-end drivers.
pub fn ensure() -> Result<Vec<(String, PathBuf)>> {
    let dir = paths::cache()?.join("debian12-kernel");
    if !dir.exists() {
        let building = dir.with_extension("new");
        if building.exists() {
            fs::remove_dir_all(&building)?;
        }
        fetch(&building)?;
        fs::rename(&building, &dir)?;
    }
    let file = |name: &str| -> Result<PathBuf> {
        find(&dir, name)?.with_context(|| format!("no {name} in {}", dir.display()))
    };
    Ok(vec![
        ("debian12.vmlinuz".to_owned(), file("vmlinuz-")?),
        ("debian12.xen-blkfront".to_owned(), file("xen-blkfront.ko")?),
        ("debian12.xen-netfront".to_owned(), file("xen-netfront.ko")?),
    ])
}

/// Downloads and unpacks the package into `dir`.
fn fetch(dir: &Path) -> Result<()> {
    let mirror = host::debian_mirror()
        .context("apt has no Debian mirror to take Debian 12's kernel from")?;
    let apt = dir.join("apt");
    for sub in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(apt.join(sub))?;
    }
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let sources = apt.join("sources.list");
    fs::write(
        &sources,
        format!("deb [arch=amd64 signed-by={keyring}] {mirror} bookworm main\n"),
    )?;
    let command = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(&apt);
        for (name, value) in [
            ("Dir::Etc::SourceList", sources.display().to_string()),
            ("Dir::Etc::SourceParts", "-".to_owned()),
            ("Dir::State::Lists", apt.join("lists").display().to_string()),
            ("Dir::Cache", apt.display().to_string()),
            ("APT::Sandbox::User", "root".to_owned()),
        ] {
            command.arg("-o").arg(format!("{name}={value}"));
        }
        command
    };
    let log = paths::logs()?.join("debian12-kernel.log");
    proc::step(
        "package lists of Debian 12",
        command("apt-get").arg("update"),
        &log,
    )?;
    let said = proc::output(command("apt-cache").args(["depends", "linux-image-amd64"]))?;
    let package = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
        .context("linux-image-amd64 depends on no kernel")?;
    let package = format!("linux-image-{package}");
    proc::step(
        &format!("downloading {package}"),
        command("apt-get").args(["download", &package]),
        &log,
    )?;
    let deb = find(&apt, "linux-image-")?.context("apt downloaded no package")?;
    proc::output(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(&deb)
            .arg(dir.join("root")),
    )?;
    fs::remove_dir_all(&apt)?;
    ensure!(find(dir, "vmlinuz-")?.is_some(), "{package} has no kernel");
    Ok(())
}

/// The first file under `dir` whose name starts with `prefix`.
fn find(dir: &Path, prefix: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)?.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if let Some(found) = find(&path, prefix)? {
                return Ok(Some(found));
            }
        } else if name.starts_with(prefix) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

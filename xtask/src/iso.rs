//! `cargo xtask iso`: a CD that GRUB boots by Multiboot 2, from a BIOS or from UEFI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::{self, Need};
use crate::{paths, proc};

/// What the CD boots.
pub struct Contents<'a> {
    /// The hypervisor's image and its command line.
    pub hypervisor: (&'a Path, &'a str),
    /// dom0's kernel and its command line.
    pub kernel: (&'a Path, &'a str),
    /// dom0's initrd.
    pub initrd: &'a Path,
}

/// Makes `target/xtask/NAME.iso`.
pub fn make(name: &str, contents: &Contents<'_>) -> Result<PathBuf> {
    setup::ensure(&[Need::Iso])?;
    let tree = paths::work()?.join(format!("{name}.tree"));
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let boot = tree.join("boot");
    fs::create_dir_all(boot.join("grub"))?;
    for (file, to) in [
        (contents.hypervisor.0, "hypervisor"),
        (contents.kernel.0, "vmlinuz"),
        (contents.initrd, "initrd.img"),
    ] {
        fs::copy(file, boot.join(to)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    fs::write(boot.join("grub/grub.cfg"), menu(contents))?;
    let iso = paths::work()?.join(format!("{name}.iso"));
    let log = paths::logs()?.join(format!("{name}-iso.log"));
    let mut grub = Command::new("grub-mkrescue");
    grub.arg("-o").arg(&iso).arg(&tree);
    proc::step(&format!("making {name}.iso"), &mut grub, &log)?;
    fs::remove_dir_all(&tree)?;
    Ok(iso)
}

/// GRUB's menu, of one entry that starts by itself, on the serial line and the screen.
fn menu(contents: &Contents<'_>) -> String {
    format!(
        "serial --unit=0 --speed=115200\n\
         terminal_input console serial\n\
         terminal_output console serial\n\
         set timeout=0\n\
         menuentry 'dom0' {{\n\
         \tmultiboot2 /boot/hypervisor {}\n\
         \tmodule2 /boot/vmlinuz {}\n\
         \tmodule2 /boot/initrd.img\n\
         }}\n",
        contents.hypervisor.1, contents.kernel.1
    )
}

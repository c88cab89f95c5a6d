//! The initrd that is booted: a small archive of our own in front of Debian's.
//!
//! The kernel unpacks archives one after the other, so the image need not be built again when
//! what runs in it changes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use cpio::newc::Builder;
use sha2::{Digest, Sha256};

use crate::dom0::Dom0;
use crate::paths;

const BOOT: &str = include_str!("../dom0/boot.sh");

/// What dom0 runs, under `/xenios`.
const SCRIPTS: &[(&str, &str)] = &[
    ("init", include_str!("../dom0/init.sh")),
    ("guests.sh", include_str!("../dom0/guests.sh")),
    ("guest-init", include_str!("../dom0/guest-init.sh")),
    ("scenarios.sh", include_str!("../dom0/scenarios.sh")),
];

/// The groups of scenarios, under `/xenios/xl`.
const SCENARIOS: &[(&str, &str)] = &[
    ("life", include_str!("../dom0/xl/life.sh")),
    ("devices", include_str!("../dom0/xl/devices.sh")),
    ("change", include_str!("../dom0/xl/change.sh")),
    ("protect", include_str!("../dom0/xl/protect.sh")),
    ("cpu", include_str!("../dom0/xl/cpu.sh")),
    ("pvh", include_str!("../dom0/xl/pvh.sh")),
    ("churn", include_str!("../dom0/xl/churn.sh")),
    ("kernels", include_str!("../dom0/xl/kernels.sh")),
    ("save", include_str!("../dom0/xl/save.sh")),
    ("many", include_str!("../dom0/xl/many.sh")),
];

/// The command line words that start `init.sh` from this initrd in `mode`.
pub fn words(mode: &str) -> String {
    format!("boot=xenios init=/xenios/init xenios={mode} fastboot")
}

/// Writes the initrd for `dom0`, with `extra` programs beside the init script.
pub fn initrd(dom0: &Dom0, extra: &[(String, PathBuf)]) -> Result<PathBuf> {
    let path = paths::work()?.join("initrd.img");
    let part = paths::work()?.join(format!("initrd.img.{}", std::process::id()));
    let mut out = BufWriter::new(File::create(&part)?);
    let mut archive = Archive::default();
    archive.dir("xenios");
    archive.dir("scripts");
    archive.file("scripts/xenios", BOOT.as_bytes(), 0o644)?;
    for (name, text) in SCRIPTS {
        archive.file(&format!("xenios/{name}"), text.as_bytes(), 0o755)?;
    }
    archive.dir("xenios/xl");
    for (group, text) in SCENARIOS {
        archive.file(&format!("xenios/xl/{group}.sh"), text.as_bytes(), 0o644)?;
    }
    let kernel = fs::read(dom0.kernel())?;
    let sum: String = Sha256::digest(kernel)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    archive.file("xenios/sum", sum.as_bytes(), 0o644)?;
    for (name, program) in extra {
        let bytes =
            fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        archive.file(&format!("xenios/{name}"), &bytes, 0o755)?;
    }
    out.write_all(&archive.finish()?)?;
    io::copy(&mut File::open(dom0.initrd())?, &mut out)?;
    out.flush()?;
    fs::rename(part, &path)?;
    Ok(path)
}

/// A cpio archive in the making.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    /// Adds a directory.
    pub fn dir(&mut self, name: &str) {
        // Writing to memory cannot fail.
        let _ = self.add(name, &[], 0o040_755);
    }

    /// Adds a regular file.
    pub fn file(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
        self.add(name, bytes, 0o100_000 | mode)
    }

    fn add(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(bytes.len()).context("file too large for an initrd")?;
        let mut entry = Builder::new(name)
            .ino(self.inode)
            .mode(mode)
            .write(&mut self.bytes, size);
        entry.write_all(bytes)?;
        entry.finish()?;
        Ok(())
    }

    /// The whole archive, padded so that another may follow.
    pub fn finish(self) -> Result<Vec<u8>> {
        let mut bytes = cpio::newc::trailer(self.bytes)?;
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        Ok(bytes)
    }
}

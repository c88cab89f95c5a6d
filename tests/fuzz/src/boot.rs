//! What a boot loader and the firmware leave in memory, and the command line.

use hypervisor::cmdline;
use machine::boot::{BootInfo, PhysMemory, multiboot1, multiboot2};
use machine::platform::{Platform, acpi};

/// Where the input lies.
pub const BASE: u64 = 0xe_0000;

/// Physical memory that is the input and nothing else.
struct Memory<'a>(&'a [u8]);

impl PhysMemory for Memory<'_> {
    fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(addr.checked_sub(BASE)?).ok()?;
        self.0.get(start..start.checked_add(len)?)
    }
}

fn check(info: &BootInfo) {
    let mut last = 0;
    for range in info.memory.ranges() {
        assert!(range.base >= last && range.len > 0);
        last = range.end();
    }
    for module in &info.modules {
        assert!(module.start.checked_add(module.len).is_some());
    }
}

/// Multiboot 1 information.
pub fn multiboot1(data: &[u8]) {
    let mut info = BootInfo::new();
    if multiboot1::parse(&Memory(data), BASE, &mut info).is_some() {
        check(&info);
        command_line(&info.command_line);
    }
}

/// Multiboot 2 information.
pub fn multiboot2(data: &[u8]) {
    let mut info = BootInfo::new();
    if multiboot2::parse(&Memory(data), BASE, &mut info).is_some() {
        check(&info);
        command_line(&info.command_line);
    }
}

/// ACPI tables; the first byte says how the root pointer is found.
pub fn acpi(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let (hint, efi) = match how % 3 {
        0 => (None, None),
        1 => (Some(BASE), None),
        _ => (None, Some(BASE)),
    };
    let mut platform = Platform::new();
    if acpi::parse(&Memory(data), hint, efi, &mut platform).is_some() {
        for isa in 0..=255 {
            let _ = platform.isa_gsi(isa);
        }
    }
}

/// Options, as text.
pub fn cmdline(data: &[u8]) {
    command_line(&String::from_utf8_lossy(data));
}

fn command_line(line: &str) {
    let (options, warnings) = cmdline::parse(line);
    // Each warning is about a word, of which a line has no more than half its bytes.
    assert!(warnings.len() <= line.len() + 64);
    for warning in &warnings {
        let _ = warning.to_string();
    }
    let _ = cmdline::machine_settings(line);
    drop(options);
}

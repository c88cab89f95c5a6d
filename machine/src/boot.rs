//! What a boot loader hands over, in one form whatever the protocol.
//!
//! Owned by the boot CPU until the policy starts, then read-only. Invariant: every byte comes
//! from the loader's structures through checked reads, is bounded, and is copied here, so the
//! loader's memory can be reused afterwards. Malformed input loses entries, never panics.

pub mod early;
pub mod memmap;
pub mod multiboot1;
pub mod multiboot2;

use arrayvec::{ArrayString, ArrayVec};

pub use memmap::{MemoryKind, MemoryMap, MemoryRange};

/// Physical memory as the boot code can read it.
pub trait PhysMemory {
    /// `len` bytes at machine address `addr`; `None` where they cannot be read.
    fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]>;
}

/// Whether the hypervisor was built with thunks for its indirect branches.
pub const RETPOLINES: bool = cfg!(retpoline);

/// Most modules taken; further ones are dropped (and counted).
pub const MAX_MODULES: usize = 16;
/// Longest command line taken, in bytes.
pub const MAX_COMMAND_LINE: usize = 2048;

/// A file that the loader put into memory.
#[derive(Clone, Debug)]
pub struct Module {
    /// Machine address of the first byte.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
    /// The words after the file's name.
    pub command_line: ArrayString<MAX_COMMAND_LINE>,
}

/// Everything the loader says.
#[derive(Clone, Debug, Default)]
pub struct BootInfo {
    /// The hypervisor's command line, without the image's name.
    pub command_line: ArrayString<MAX_COMMAND_LINE>,
    /// Name and version of the loader.
    pub loader: ArrayString<64>,
    /// Sorted memory map without overlaps.
    pub memory: MemoryMap,
    /// In the loader's order: kernel, initrd, ...
    pub modules: ArrayVec<Module, MAX_MODULES>,
    /// Modules that did not fit.
    pub modules_dropped: usize,
    /// Machine address of the ACPI root pointer (or of the loader's copy), if the loader knows.
    pub rsdp: Option<u64>,
    /// Machine address of the EFI system table, when booted by EFI firmware.
    pub efi_system_table: Option<u64>,
}

impl BootInfo {
    /// Nothing known.
    pub const fn new() -> Self {
        BootInfo {
            command_line: ArrayString::new_const(),
            loader: ArrayString::new_const(),
            memory: MemoryMap::new(),
            modules: ArrayVec::new_const(),
            modules_dropped: 0,
            rsdp: None,
            efi_system_table: None,
        }
    }
}

/// What boot code gives to the policy's main function.
pub struct Handover {
    /// From the loader.
    pub info: &'static BootInfo,
    /// From the firmware's tables.
    pub platform: &'static crate::platform::Platform,
    /// The machine's memory.
    pub mem: crate::Mem,
    /// All free frames; the hypervisor's own data takes of them too. Modules' frames are not among them, see [`Handover::free_module`].
    pub heap: &'static crate::lock::Lock<crate::heap::Heap>,
    /// The boot CPU.
    pub cpu: crate::Cpu,
    /// CPUs that run, this one included; they are numbered from 0.
    pub cpus: u32,
    /// Modules given back, one bit each.
    pub(crate) modules_freed: u32,
}

impl Handover {
    /// Runs `f` on all other CPUs, each with its own [`crate::Cpu`]; they sleep until then. A
    /// CPU whose `f` returns halts. Once; a second call changes nothing.
    pub fn release_aps(&self, f: &'static (dyn Fn(crate::Cpu) + Sync)) {
        crate::arch::imp::release_aps(f);
    }

    /// Carries out measures against speculative execution, on each CPU that runs guests. Once,
    /// before any guest runs; a second call changes nothing. `false` when memory for XPTI ran
    /// out: it is then left out.
    pub fn apply_measures(&mut self, measures: &crate::measures::Measures) -> bool {
        crate::arch::imp::apply_measures(measures, &mut self.cpu, self.cpus)
    }

    /// The contents of a module; empty when there is none, it was freed, or the loader put it
    /// outside RAM.
    pub fn module_bytes(&self, index: usize) -> &[u8] {
        self.module_range(index).map_or(&[], |(module, _)| {
            crate::arch::imp::boot_bytes(module.start, module.len)
        })
    }

    /// The boot CPU and the modules' contents at once: none is freed while they are borrowed.
    pub fn cpu_and_modules(&mut self) -> (&mut crate::Cpu, Modules<'_>) {
        let mut bytes: [&[u8]; MAX_MODULES] = [&[]; MAX_MODULES];
        for (index, slot) in bytes.iter_mut().enumerate() {
            if let Some((module, _)) = module_range(self.info, self.modules_freed, index) {
                *slot = crate::arch::imp::boot_bytes(module.start, module.len);
            }
        }
        (&mut self.cpu, Modules { bytes })
    }

    /// Gives a module's memory back: the frames that are wholly its own, (first, one past the
    /// last), for the caller to add to the heap.
    pub fn free_module(&mut self, index: usize) -> Option<(crate::Mfn, crate::Mfn)> {
        let (module, bit) = self.module_range(index)?;
        let first = module.start.div_ceil(4096);
        let end = module.start.saturating_add(module.len) >> 12;
        self.modules_freed |= bit;
        (first < end).then_some((crate::Mfn(first), crate::Mfn(end)))
    }

    fn module_range(&self, index: usize) -> Option<(&'static Module, u32)> {
        module_range(self.info, self.modules_freed, index)
    }
}

/// Contents of all modules, borrowed from a [`Handover`].
pub struct Modules<'a> {
    bytes: [&'a [u8]; MAX_MODULES],
}

impl<'a> Modules<'a> {
    /// Module `index`; empty as in [`Handover::module_bytes`].
    pub fn get(&self, index: usize) -> &'a [u8] {
        self.bytes.get(index).copied().unwrap_or_default()
    }
}

/// Module `index` and its bit, if it lies in RAM and was not freed.
fn module_range(
    info: &'static BootInfo,
    freed: u32,
    index: usize,
) -> Option<(&'static Module, u32)> {
    let module = info.modules.get(index)?;
    let bit = 1u32.checked_shl(index as u32)?;
    let end = module.start.checked_add(module.len)?;
    let inside = |r: &&MemoryRange| r.base <= module.start && end <= r.end();
    let ram = info
        .memory
        .ranges()
        .iter()
        .filter(|r| r.kind == MemoryKind::Ram);
    (freed & bit == 0 && ram.into_iter().any(|r| inside(&r))).then_some((module, bit))
}

/// Makes `$main`, a `fn(Handover) -> !`, what the boot code ends in, and `$settings`, a
/// `fn(&str) -> Settings`, what it has the command line read by; that one is called before there
/// is a heap. Used once, by the image.
#[macro_export]
macro_rules! entry_point {
    ($main:path, $settings:path) => {
        // The name is the link between the two crates; nothing else may define it.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "Rust" fn xenios_settings(line: &str) -> $crate::settings::Settings {
            $settings(line)
        }

        // The name is the link between the two crates; nothing else may define it.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "Rust" fn xenios_main(handover: $crate::boot::Handover) -> ! {
            $main(handover)
        }
    };
}

/// The text from `addr` to its zero byte, cut to `N` bytes; invalid UTF-8 becomes '?'.
pub(crate) fn text<const N: usize>(memory: &dyn PhysMemory, addr: u64) -> ArrayString<N> {
    let mut out = ArrayString::new();
    for at in 0..N as u64 {
        let byte = addr
            .checked_add(at)
            .and_then(|a| memory.bytes(a, 1))
            .and_then(|b| b.first());
        match byte {
            None | Some(0) => break,
            Some(&byte) => push(&mut out, byte),
        }
    }
    out
}

/// As [`text`], of a slice.
pub(crate) fn text_of<const N: usize>(bytes: &[u8]) -> ArrayString<N> {
    let mut out = ArrayString::new();
    for &byte in bytes.iter().take_while(|b| **b != 0) {
        push(&mut out, byte);
    }
    out
}

fn push<const N: usize>(out: &mut ArrayString<N>, byte: u8) {
    let c = if byte.is_ascii() {
        char::from(byte)
    } else {
        '?'
    };
    let _ = out.try_push(c);
}

/// Whether the loader leaves out the file's name in front of a command line: GRUB 2 does.
pub(crate) fn omits_name(loader: &str) -> bool {
    loader.find("GRUB ").is_some_and(|at| {
        let version = loader.get(at + 5..).and_then(|v| v.chars().next());
        version.is_some_and(|c| c != '0')
    })
}

/// Drops the first word of a command line unless the loader already did.
pub(crate) fn without_name<const N: usize>(line: &str, loader: &str) -> ArrayString<N> {
    let line = line.trim();
    let rest = if omits_name(loader) {
        line
    } else {
        line.split_once(char::is_whitespace)
            .map_or("", |(_, rest)| rest.trim_start())
    };
    text_of(rest.as_bytes())
}

/// Little-endian word at `at`, if `bytes` has it.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    bytes.get(at..end)?.try_into().ok().map(u32::from_le_bytes)
}

/// Little-endian double word at `at`, if `bytes` has it.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let end = at.checked_add(8)?;
    bytes.get(at..end)?.try_into().ok().map(u64::from_le_bytes)
}

/// Little-endian half word at `at`, if `bytes` has it.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    bytes.get(at..end)?.try_into().ok().map(u16::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod fake {
    //! A few kilobytes of "physical memory" for tests.

    /// Memory from `base` on.
    pub struct Fake {
        pub base: u64,
        pub data: [u8; 8192],
    }

    impl Fake {
        pub fn new(base: u64) -> Self {
            Fake {
                base,
                data: [0; 8192],
            }
        }

        pub fn put(&mut self, addr: u64, bytes: &[u8]) {
            let at = (addr - self.base) as usize;
            self.data[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    impl super::PhysMemory for Fake {
        fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
            let at = usize::try_from(addr.checked_sub(self.base)?).ok()?;
            self.data.get(at..at.checked_add(len)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_name_goes_unless_grub_2_left_it_out() {
        assert_eq!(
            without_name::<64>("/boot/xenios a b", "qemu").as_str(),
            "a b"
        );
        assert_eq!(without_name::<64>("xenios", "qemu").as_str(), "");
        assert_eq!(without_name::<64>("a b", "GRUB 2.12").as_str(), "a b");
        assert_eq!(
            without_name::<64>("xen a b", "GNU GRUB 0.97").as_str(),
            "a b"
        );
    }

    #[test]
    fn text_stops_at_zero_end_of_memory_and_capacity() {
        let mut m = fake::Fake::new(0x1000);
        m.put(0x1000, b"abc\0def");
        assert_eq!(text::<16>(&m, 0x1000).as_str(), "abc");
        assert_eq!(text::<2>(&m, 0x1000).as_str(), "ab");
        m.put(0x1000 + 8190, b"zz");
        assert_eq!(text::<16>(&m, 0x1000 + 8190).as_str(), "zz");
        assert_eq!(text::<16>(&m, u64::MAX).as_str(), "");
        m.put(0x1000, &[0xff, b'x', 0]);
        assert_eq!(text::<16>(&m, 0x1000).as_str(), "?x");
    }
}

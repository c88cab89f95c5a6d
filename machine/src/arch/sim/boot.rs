//! What boot code does on metal: modules' contents, and letting the other CPUs go.

use super::machine::SimMachine;
use super::mem::{current, lock};
use crate::addr::{Mfn, PAGE_SIZE};
use crate::boot::{BootInfo, Handover, MemoryKind, Module};
use crate::heap::{Heap, LEVEL};
use crate::lock::Lock;
use crate::platform::{CpuEntry, IoApicEntry, Platform, Register};
use alloc::boxed::Box;
use arrayvec::ArrayString;

/// A module's bytes; empty when the current machine has no module there.
pub fn boot_bytes(addr: u64, len: u64) -> &'static [u8] {
    let Some(machine) = current() else { return &[] };
    let modules = lock(&machine.modules);
    let found = modules
        .iter()
        .find(|(at, bytes)| *at == addr && bytes.len() as u64 == len);
    found.map_or(&[], |(_, bytes)| *bytes)
}

/// Keeps `f` for the test to run: see [`super::SimMachine::released`].
pub fn release_aps(f: &'static (dyn Fn(super::Cpu) + Sync)) {
    if let Some(machine) = current() {
        *lock(&machine.released) = Some(f);
    }
}

/// There is nothing to be done: simulated processors do not speculate.
pub fn apply_measures(_: &crate::measures::Measures, _: &mut super::Cpu, _: u32) -> bool {
    true
}

/// Frames below this one are the firmware's: 1 MiB.
const LOW_FRAMES: u64 = 256;

impl SimMachine {
    /// What the boot code hands to the policy: the first MiB is the firmware's, modules lie at
    /// the end of RAM (contents and command line each), all else is in the heap. Takes CPU 0.
    pub fn handover(&self, command_line: &str, modules: &[(&[u8], &str)]) -> Handover {
        let mem = self.mem();
        let mut info = BootInfo::new();
        info.command_line = text(command_line);
        info.loader = text("simulated machine");
        let frames = mem.max_mfn().0;
        info.memory.push(0, 0x9_f000, MemoryKind::Ram);
        info.memory
            .push(0x10_0000, (frames - LOW_FRAMES) << 12, MemoryKind::Ram);
        info.memory = info.memory.sanitised();
        let mut end = frames;
        for (bytes, line) in modules {
            let n = bytes.len().div_ceil(PAGE_SIZE) as u64;
            end = end
                .checked_sub(n)
                .filter(|e| *e > LOW_FRAMES)
                .expect("RAM for the modules");
            let start = end << 12;
            let module = Module {
                start,
                len: bytes.len() as u64,
                command_line: text(line),
            };
            assert!(info.modules.try_push(module).is_ok(), "too many modules");
            self.add_module(start, bytes);
        }
        let mut heap = Heap::new(mem);
        heap.add_range(Mfn(LOW_FRAMES), Mfn(end));
        Handover {
            info: Box::leak(Box::new(info)),
            platform: Box::leak(Box::new(platform(self.cpus()))),
            mem,
            heap: Box::leak(Box::new(Lock::new(LEVEL, heap))),
            cpu: self.cpu(0),
            cpus: self.cpus(),
            modules_freed: 0,
        }
    }
}

fn text<const N: usize>(text: &str) -> ArrayString<N> {
    ArrayString::from(text).expect("shorter")
}

/// The facts of a small PC.
fn platform(cpus: u32) -> Platform {
    let mut platform = Platform::new();
    platform.local_apic = 0xfee0_0000;
    for id in 0..cpus {
        let cpu = CpuEntry {
            apic_id: id,
            acpi_id: id,
            enabled: true,
            online_capable: false,
        };
        let _ = platform.cpus.try_push(cpu);
    }
    let io_apic = IoApicEntry {
        id: super::ioapic::ID,
        addr: 0xfec0_0000,
        gsi_base: 0,
    };
    let _ = platform.io_apics.try_push(io_apic);
    platform.power.sci = 9;
    platform.power.pm1a_control = Some(Register::Port(0x604));
    platform.power.pm1a_event = Some(Register::Port(0x600));
    platform.power.s5 = Some((0, 0));
    platform
}

//! The handle by which tests make and control a machine.

use super::PowerEvent;
use super::cpu::Cpu;
use super::guest::{GuestCpu, GuestOp};
use super::mem::{MemArch, NEVER, Shared, lock, set_current};
use super::std::eprintln;
use super::std::panic::resume_unwind;
use super::std::sync::{Arc, Mutex};
use super::tlb::TlbCounts;
use crate::addr::PAGE_SIZE;
use crate::frame::Mem;
use crate::words;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// Machines that were given up.
static RETIRED: Mutex<Vec<&'static Shared>> = Mutex::new(Vec::new());

/// A simulated machine. Copies are handles on the same one.
#[derive(Clone, Copy)]
pub struct SimMachine(&'static Shared);

/// What one CPU of a run does.
pub type CpuMain<'a> = Box<dyn FnOnce(Cpu) + Send + 'a>;

impl SimMachine {
    /// A machine with frames 0 to `ram_frames` of zeroed RAM, of which no heap has any yet, and
    /// CPUs 0 to `cpus`. The clock stands at zero.
    pub fn new(ram_frames: usize, cpus: usize) -> SimMachine {
        let kept = {
            let mut retired = lock(&RETIRED);
            retired
                .iter()
                .position(|m| m.frames() == ram_frames && m.cpus.len() == cpus)
                .map(|at| retired.swap_remove(at))
        };
        let machine = match kept {
            Some(machine) => {
                machine.reset();
                machine
            }
            None => Box::leak(Box::new(Shared::new(ram_frames, cpus))),
        };
        set_current(machine);
        SimMachine(machine)
    }

    /// Gives the machine up, for a later [`SimMachine::new`] of the same size to use its memory.
    /// Nobody may have anything of it any more, its `Mem`, pages or CPUs: they would be the next
    /// one's.
    pub fn retire(self) {
        // What programs hold may be about this machine.
        lock(&self.0.programs).clear();
        *lock(&self.0.elsewhere) = None;
        lock(&RETIRED).push(self.0);
    }

    /// Its memory.
    pub fn mem(&self) -> Mem {
        Mem(MemArch(self.0))
    }

    pub(super) fn words(&self, mfn: u64) -> Option<&'static [AtomicU64; 512]> {
        self.0.ram(mfn)
    }

    /// Number of CPUs.
    pub fn cpus(&self) -> u32 {
        self.0.cpus.len() as u32
    }

    /// CPU `id`. Panics while somebody else has it.
    pub fn cpu(&self, id: u32) -> Cpu {
        Cpu::new(self.0, id)
    }

    /// Nanoseconds since boot.
    pub fn now(&self) -> u64 {
        self.0.now()
    }

    /// Lets time pass, in nanoseconds.
    pub fn advance(&self, ns: u64) {
        self.0.advance(ns);
    }

    /// Puts a guest program at address `rip`: a CPU that enters a guest there runs it. Each call
    /// gives the next operation; `None` leaves it to the CPU's own script.
    pub fn program(
        &self,
        rip: u64,
        program: impl FnMut(&mut GuestCpu<'_>) -> Option<GuestOp> + Send + 'static,
    ) {
        lock(&self.0.programs).insert(rip, Arc::new(Mutex::new(Box::new(program))));
    }

    /// Puts a program at all addresses that have none of their own. Other than one of
    /// [`SimMachine::program`] it may come to scheduling points.
    pub fn program_elsewhere(
        &self,
        program: impl Fn(&mut GuestCpu<'_>) -> Option<GuestOp> + Send + Sync + 'static,
    ) {
        *lock(&self.0.elsewhere) = Some(Arc::new(program));
    }

    /// Asks a CPU to look at its work, as another one does.
    pub fn kick(&self, cpu: u32) {
        self.0.cpus[cpu as usize]
            .kicked
            .store(true, Ordering::Release);
    }

    /// Raises a device's interrupt at a CPU.
    pub fn raise(&self, cpu: u32, vector: u8) {
        lock(&self.0.cpus[cpu as usize].irqs).push_back(vector);
    }

    /// Sends an NMI to a CPU.
    pub fn raise_nmi(&self, cpu: u32) {
        self.0.cpus[cpu as usize].nmi.store(true, Ordering::Relaxed);
    }

    /// Device interrupts that a CPU has ended.
    pub fn eois(&self, cpu: u32) -> u64 {
        self.0.cpus[cpu as usize].eois.load(Ordering::Relaxed)
    }

    /// Whether somebody kicked `cpu` and it has not looked since.
    pub fn is_kicked(&self, cpu: u32) -> bool {
        self.0.cpus[cpu as usize].kicked.load(Ordering::Relaxed)
    }

    /// When the CPU's timer strikes, if it is armed.
    pub fn deadline(&self, cpu: u32) -> Option<u64> {
        let deadline = self.0.cpus[cpu as usize].deadline.load(Ordering::Relaxed);
        (deadline != NEVER).then_some(deadline)
    }

    /// What `cpu`'s TLB was asked to forget so far.
    pub fn tlb_counts(&self, cpu: u32) -> TlbCounts {
        lock(&self.0.cpus[cpu as usize].tlb).counts
    }

    /// Translations that `cpu`'s TLB holds.
    pub fn tlb_len(&self, cpu: u32) -> usize {
        lock(&self.0.cpus[cpu as usize].tlb).len()
    }

    /// Turns the page-table oracle on or off (see `walk.rs`). It is on at first.
    pub fn set_strict(&self, on: bool) {
        self.0.strict.store(on, Ordering::Relaxed);
    }

    /// Makes `work_pending` say yes at its `calls`th call after each exit, to test restarts.
    /// `None` turns that off.
    pub fn set_patience(&self, calls: Option<u64>) {
        self.0
            .patience
            .store(calls.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// Sets what a port reads as.
    pub fn set_port(&self, port: u16, value: u32) {
        lock(&self.0.devices).ports.insert(port, value);
    }

    /// Puts a doubleword into PCI configuration space: it reads so until it is written. Where
    /// none was put, reads are all ones.
    pub fn set_config(&self, bus: u8, devfn: u8, register: u8, value: u32) {
        let at = u32::from(bus) << 16 | u32::from(devfn) << 8 | u32::from(register & !3);
        lock(&self.0.devices).config.insert(at, value);
    }

    /// A doubleword of PCI configuration space.
    pub fn config(&self, bus: u8, devfn: u8, register: u8) -> Option<u32> {
        let at = u32::from(bus) << 16 | u32::from(devfn) << 8 | u32::from(register & !3);
        lock(&self.0.devices).config.get(&at).copied()
    }

    /// What a memory-mapped register of a device holds, once it was written.
    pub fn register(&self, pa: u64) -> Option<u32> {
        lock(&self.0.devices).registers.get(&pa).copied()
    }

    /// Gives the machine an IOMMU.
    pub fn give_iommu(&self) {
        lock(&self.0.devices).iommu.there = true;
    }

    /// What its IOMMU was told.
    pub fn iommu(&self) -> super::Iommu {
        lock(&self.0.devices).iommu
    }

    /// Takes the record of all writes to ports: port, bytes, value.
    pub fn take_port_writes(&self) -> Vec<(u16, u8, u32)> {
        core::mem::take(&mut lock(&self.0.devices).port_writes)
    }

    /// Sets a model-specific register; `None` makes it one that the processor does not have.
    pub fn set_msr(&self, msr: u32, value: Option<u64>) {
        let mut devices = lock(&self.0.devices);
        match value {
            Some(value) => devices.msrs.insert(msr, value),
            None => devices.msrs.remove(&msr),
        };
    }

    /// Sets a leaf of CPUID: EAX, EBX, ECX, EDX.
    pub fn set_cpuid(&self, leaf: u32, subleaf: u32, value: [u32; 4]) {
        lock(&self.0.devices).cpuid.insert((leaf, subleaf), value);
    }

    /// Takes what was written to the console.
    pub fn take_console(&self) -> String {
        let bytes = core::mem::take(&mut lock(&self.0.devices).console_out);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Makes the console's line take `room` bytes at each pump; `None` for all at once.
    pub fn set_console_room(&self, room: Option<usize>) {
        lock(&self.0.devices).console_room = room;
    }

    /// Types at the console. [`SimMachine::raise`] with `CONSOLE_VECTOR` is its interrupt.
    pub fn type_at_console(&self, text: &str) {
        lock(&self.0.devices).console_in.extend(text.bytes());
    }

    /// Puts a boot module into RAM at machine address `start`, which is a page's.
    pub(super) fn add_module(&self, start: u64, bytes: &[u8]) {
        for (i, page) in bytes.chunks(PAGE_SIZE).enumerate() {
            if let Some(words) = self.0.ram((start >> 12) + i as u64) {
                words::write(words, 0, page);
            }
        }
        let bytes: &'static [u8] = Box::leak(bytes.into());
        lock(&self.0.modules).push((start, bytes));
    }

    /// Sets the clock chip: seconds since 1970 at the machine's time zero.
    pub fn set_rtc(&self, seconds: u64) {
        lock(&self.0.devices).rtc_at_boot = seconds;
    }

    /// The function that the other CPUs were released to, if they were.
    pub fn released(&self) -> Option<&'static (dyn Fn(Cpu) + Sync)> {
        *lock(&self.0.released)
    }

    /// Runs `main` on all CPUs, interleaved as `seed` says. Panics as the first CPU that does.
    pub fn run(&self, seed: u64, main: impl Fn(Cpu) + Sync) {
        let main = &main;
        self.run_each(
            seed,
            (0..self.cpus())
                .map(|_| Box::new(main) as CpuMain<'_>)
                .collect(),
        );
    }

    /// As [`SimMachine::run`], with a function for each CPU, from 0.
    pub fn run_each(&self, seed: u64, mains: Vec<CpuMain<'_>>) {
        if let Err(cause) = super::sched::run(self.0, seed, mains) {
            // Who switches it off says so.
            if !cause.is::<PowerEvent>() {
                eprintln!("simulated machine: failed with seed {seed}");
            }
            resume_unwind(cause);
        }
    }
}

impl core::fmt::Debug for SimMachine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "SimMachine({} frames, {} CPUs)",
            self.mem().max_mfn().0,
            self.cpus()
        )
    }
}

//! Secondary vCPUs: bring-up on their own stacks, and a spin lock.
//!
//! Owns `ENTRY`, one slot per vCPU, written by the starter before the vCPU runs. A vCPU that
//! returns from its function takes itself down.
//!
//! Unsafe: the first instruction of a secondary vCPU.

use crate::hypercall::{self, HyperResult};
use crate::local::{self, MAX_VCPUS};
use crate::{entry, mem, traps};
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use xen_abi::arch_x86::*;
use xen_abi::shared_info::VCPU_INFO_SIZE;
use xen_abi::vcpu::{VCPUOP_down, VCPUOP_initialise, VCPUOP_up};

static ENTRY: [AtomicU64; MAX_VCPUS] = [const { AtomicU64::new(0) }; MAX_VCPUS];
/// What a vCPU runs once it is up.
type Body = Option<fn()>;

static FUNCTIONS: Lock<[Body; MAX_VCPUS]> = Lock::new([None; MAX_VCPUS]);

global_asm!(
    ".section .text.smp, \"ax\", @progbits",
    ".globl smp_entry",
    "smp_entry:",
    "    cld",
    "    xor ebp, ebp",
    "    call {main}",
    "1:  ud2",
    "    jmp 1b",
    main = sym secondary,
);

unsafe extern "C" {
    static smp_entry: [u8; 0];
}

extern "C" fn secondary() -> ! {
    let id = local::id();
    traps::upcall_mask().store(1, Ordering::SeqCst);
    loop {
        let function = FUNCTIONS.lock().get(id).copied().flatten();
        if let Some(function) = function {
            function();
        }
        if let Some(entry) = ENTRY.get(id) {
            entry.store(0, Ordering::SeqCst);
        }
        // Goes on from here, with a new function, when it is brought up again.
        let _ = hypercall::vcpu_plain(VCPUOP_down, id as u32);
    }
}

/// The context with which vCPU `id` starts: this kernel's tables, traps and callbacks.
///
/// # Panics
/// When there is no stack for it.
pub fn context(id: usize) -> VcpuGuestContext {
    let base = local::stack_base(id).expect("a stack for the vCPU");
    let mut context = VcpuGuestContext {
        flags: VGCF_in_kernel,
        ..Default::default()
    };
    context.user_regs.rip = &raw const smp_entry as u64;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.user_regs.rsp = base + entry::STACK_SIZE as u64;
    context.user_regs.rflags = 0x200;
    context.kernel_ss = u64::from(FLAT_KERNEL_SS);
    context.kernel_sp = base + 32768;
    context.ctrlreg[0] = 0x8005_0033;
    context.ctrlreg[3] = xen_pfn_to_cr3(mem::boot_l4_mfn());
    for info in traps::table() {
        if info.address != 0 {
            context.trap_ctxt[info.vector as usize] = info;
        }
    }
    context.event_callback_eip = traps::stub(traps::EVENT);
    context.failsafe_callback_eip = traps::stub(traps::FAILSAFE);
    context.syscall_callback_eip = traps::stub(traps::SYSCALL);
    context
}

/// Starts vCPU `id` for the first time, to run `function` and then go down.
pub fn start(id: usize, function: fn()) -> HyperResult {
    let mut context = context(id);
    if let Some(local) = local::of(id) {
        local.id.store(id as u64, Ordering::SeqCst);
        let info = mem::shared_info().va() + (id * VCPU_INFO_SIZE) as u64;
        local.vcpu_info.store(info, Ordering::SeqCst);
    }
    hypercall::vcpu(VCPUOP_initialise, id as u32, &mut context)?;
    restart(id, function)
}

/// Brings vCPU `id`, which went down after an earlier function, up again to run `function`.
pub fn restart(id: usize, function: fn()) -> HyperResult {
    if let Some(slot) = FUNCTIONS.lock().get_mut(id) {
        *slot = Some(function);
    }
    if let Some(entry) = ENTRY.get(id) {
        entry.store(1, Ordering::SeqCst);
    }
    hypercall::vcpu_plain(VCPUOP_up, id as u32)
}

/// Whether vCPU `id`'s function has not returned yet.
pub fn running(id: usize) -> bool {
    ENTRY
        .get(id)
        .is_some_and(|entry| entry.load(Ordering::SeqCst) != 0)
}

/// A spin lock.
pub struct Lock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `held` gives the value to one vCPU at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The held lock; dropping it releases it.
pub struct Guard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self {
            held: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }
    /// Spins until it is free and takes it.
    pub fn lock(&self) -> Guard<'_, T> {
        while self.held.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        Guard(self)
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so this vCPU holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as `deref`.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.held.store(false, Ordering::Release);
    }
}

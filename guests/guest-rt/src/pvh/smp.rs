//! Other vCPUs of a PVH kernel: brought up by hypercall, straight into 64-bit code.
//!
//! Owns the function that the next one runs. A vCPU that returns from it takes itself down.
//! Unsafe: the first instructions.

use super::traps;
use crate::entry::{STACK_SIZE, VIRT_BASE};
use crate::hypercall::{self, HyperResult};
use crate::local;
use crate::smp::Lock;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};
use xen_abi::hvm::{VCPU_HVM_MODE_64B, VcpuHvmContext};
use xen_abi::vcpu::{VCPUOP_down, VCPUOP_initialise, VCPUOP_up};

type Body = Option<fn()>;

static FUNCTION: Lock<Body> = Lock::new(None);
static RUNNING: AtomicU64 = AtomicU64::new(0);

global_asm!(
    ".section .text.pvh, \"ax\", @progbits",
    ".globl pvh_secondary",
    "pvh_secondary:",
    "    cld",
    "    lgdt [rip + pvh_gdt_pointer_high]",
    "    push 8",
    "    lea rax, [rip + 2f]",
    "    push rax",
    "    retfq",
    "2:  mov eax, 16",
    "    mov ds, eax",
    "    mov es, eax",
    "    mov ss, eax",
    "    xor ebp, ebp",
    "    call {main}",
    "1:  ud2",
    "    jmp 1b",
    ".text",
    main = sym secondary,
);

unsafe extern "C" {
    static pvh_secondary: [u8; 0];
    static pvh_l4: [u8; 0];
}

extern "C" fn secondary() -> ! {
    traps::load();
    loop {
        let function = FUNCTION.lock().take();
        if let Some(function) = function {
            function();
        }
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        let _ = hypercall::vcpu_plain(VCPUOP_down, local::id() as u32);
    }
}

/// The state in which vCPU `id` starts.
///
/// # Panics
/// When there is no stack for it.
pub fn context(id: usize) -> VcpuHvmContext {
    let stack = local::stack_base(id).expect("a stack for the vCPU");
    let mut context = VcpuHvmContext {
        mode: VCPU_HVM_MODE_64B,
        ..Default::default()
    };
    // rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags, cr0, cr3, cr4, efer.
    context.cpu_regs[4] = stack + STACK_SIZE as u64;
    context.cpu_regs[8] = &raw const pvh_secondary as u64;
    context.cpu_regs[9] = 2;
    context.cpu_regs[10] = 0x8001_0033;
    context.cpu_regs[11] = &raw const pvh_l4 as u64 - VIRT_BASE;
    context.cpu_regs[12] = 0x620;
    context.cpu_regs[13] = 0xd01;
    context
}

/// Starts vCPU `id` for the first time, to run `function` and then go down.
pub fn start(id: usize, function: fn()) -> HyperResult {
    if let Some(local) = local::of(id) {
        local.id.store(id as u64, Ordering::SeqCst);
    }
    hypercall::vcpu(VCPUOP_initialise, id as u32, &mut context(id))?;
    restart(id, function)
}

/// Brings vCPU `id`, which went down after an earlier function, up again to run `function`.
pub fn restart(id: usize, function: fn()) -> HyperResult {
    *FUNCTION.lock() = Some(function);
    RUNNING.fetch_add(1, Ordering::SeqCst);
    hypercall::vcpu_plain(VCPUOP_up, id as u32)
}

/// Whether a function has not returned yet.
pub fn running() -> bool {
    RUNNING.load(Ordering::SeqCst) != 0
}

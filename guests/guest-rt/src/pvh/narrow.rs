//! 32-bit code: on this vCPU in compatibility mode, and on another in modes without 64 bits.
//!
//! 32-bit code reaches what lies at addresses below 4 GiB, which are guest-physical ones; a page
//! of the pool is there as well. The other vCPU ("the worker") does what it is told in a page,
//! the mailbox, and knows nothing else. Owns that page's address.
//!
//! Unsafe: the code itself. A call can change this kernel's memory; that is the kernels' business.

use crate::entry::VIRT_BASE;
use crate::hypercall::HyperResult;
use crate::mem::{self, Page};
use crate::smp::Lock;
use crate::time;
use core::arch::global_asm;
use core::sync::atomic::Ordering;
use xen_abi::compat::Layout;
use xen_abi::hvm::{VCPU_HVM_MODE_32B, VcpuHvmContext, VcpuHvmX8632};
use xen_abi::vcpu::{VCPUOP_initialise, VCPUOP_up};
use zerocopy::{FromBytes, IntoBytes};

// `symbol + 0x80000000` is a symbol's physical address, modulo 2^64.
global_asm!(
    ".section .text.pvh, \"ax\", @progbits",
    ".globl narrow_registers",
    // narrow_registers(rdi: *mut [eax, ebx, ecx, edx, esi, edi, ebp])
    "narrow_registers:",
    "    pushq %rbx",
    "    pushq %rbp",
    "    pushq %r12",
    "    pushq %r13",
    "    pushq %r14",
    "    pushq %r15",
    "    pushq %rdi",
    "    movl $0x80000000, %eax",
    "    addq %rax, %rsp", // the same stack, below 4 GiB
    "    movl (%rdi), %eax",
    "    movl 4(%rdi), %ebx",
    "    movl 8(%rdi), %ecx",
    "    movl 12(%rdi), %edx",
    "    movl 16(%rdi), %esi",
    "    movl 24(%rdi), %ebp",
    "    movl 20(%rdi), %edi",
    "    pushq $24",
    "    pushq $(1f + 0x80000000)",
    "    lretq",
    ".code32",
    "1:  testl %ebp, %ebp",
    "    jz 2f",
    "    calll *%ebp",
    "    jmp 3f",
    "2:  vmmcall",
    "3:  ljmpl $8, $(4f + 0x80000000)",
    ".code64",
    "4:  movl %esp, %esp",
    "    movq (%rsp), %r9",
    "    movl %eax, (%r9)",
    "    movl %ebx, 4(%r9)",
    "    movl %ecx, 8(%r9)",
    "    movl %edx, 12(%r9)",
    "    movl %esi, 16(%r9)",
    "    movl %edi, 20(%r9)",
    "    movl %ebp, 24(%r9)",
    "    movabsq $-0x80000000, %rax",
    "    addq %rax, %rsp",
    "    movabsq $5f, %rax",
    "    jmpq *%rax",
    "5:  popq %rdi",
    "    popq %r15",
    "    popq %r14",
    "    popq %r13",
    "    popq %r12",
    "    popq %rbp",
    "    popq %rbx",
    "    retq",
    // The worker: EBP is the mailbox.
    ".code32",
    ".globl narrow_worker",
    "narrow_worker:",
    "1:  pause",
    "    movl (%ebp), %eax",
    "    cmpl $1, %eax",
    "    je 2f",
    "    cmpl $2, %eax",
    "    je 4f",
    "    cmpl $3, %eax",
    "    je 5f",
    "    jmp 1b",
    "2:  movl 4(%ebp), %eax",
    "    movl 8(%ebp), %ebx",
    "    movl 12(%ebp), %ecx",
    "    movl 16(%ebp), %edx",
    "    movl 20(%ebp), %esi",
    "    movl 24(%ebp), %edi",
    "    vmmcall",
    "    movl %eax, 4(%ebp)",
    "    movl %ebx, 8(%ebp)",
    "    movl %ecx, 12(%ebp)",
    "    movl %edx, 16(%ebp)",
    "    movl %esi, 20(%ebp)",
    "    movl %edi, 24(%ebp)",
    "3:  movl $0, (%ebp)",
    "    jmp 1b",
    // CR3, CR4, CR0.
    "4:  movl %cr0, %eax",
    "    andl $0x7fffffff, %eax",
    "    movl %eax, %cr0",
    "    movl 8(%ebp), %eax",
    "    movl %eax, %cr3",
    "    movl 12(%ebp), %eax",
    "    movl %eax, %cr4",
    "    movl 16(%ebp), %eax",
    "    movl %eax, %cr0",
    "    jmp 3b",
    // Ring 3.
    "5:  lgdt pvh_gdt_pointer + 0x80000000",
    "    movl $0x2b, %eax",
    "    movl %eax, %ds",
    "    movl %eax, %es",
    "    pushl $0x2b",
    "    pushl %ebp",
    "    pushl $0x23",
    "    pushl $(3b + 0x80000000)",
    "    lretl",
    ".code64",
    ".text",
    options(att_syntax)
);

unsafe extern "C" {
    fn narrow_registers(registers: *mut [u32; 7]);
    static narrow_worker: [u8; 0];
    static hypercall_page: [u8; 4096];
}

static MAILBOX: Lock<Option<Page>> = Lock::new(None);

/// What the worker is told: by number.
const CALL: u32 = 1;
const PAGING: u32 = 2;
const RING_3: u32 = 3;

/// The address of a page for 32-bit code.
pub fn low(page: Page) -> u32 {
    (page.va() - VIRT_BASE) as u32
}

/// Writes the 32-bit form of a structure to byte `at` of a page, which must be a multiple of 4.
pub fn put<T: Layout>(page: Page, at: usize, value: &T) {
    for (i, &byte) in value.narrow().as_bytes().iter().enumerate() {
        page.byte(at + i).store(byte, Ordering::SeqCst);
    }
}

/// Reads a structure in its 32-bit form from byte `at` of a page.
///
/// # Panics
/// For a type of more than 1024 bytes.
pub fn take<T: Layout>(page: Page, at: usize) -> T {
    let mut bytes = [0; 1024];
    let size = size_of::<T::Compat>();
    for (i, byte) in bytes[..size].iter_mut().enumerate() {
        *byte = page.byte(at + i).load(Ordering::SeqCst);
    }
    let compat = T::Compat::read_from_bytes(&bytes[..size]);
    T::widen(compat.unwrap_or_else(|_| panic!("a form has its own size")))
}

fn split(eax: u32) -> HyperResult {
    crate::hypercall::split((eax as i32).into())
}

/// Makes a call from compatibility mode: EAX, EBX, ECX, EDX, ESI, EDI, in and out.
pub fn registers(mut registers: [u32; 6], by_page: bool) -> [u32; 6] {
    let stub = &raw const hypercall_page as u64 - VIRT_BASE + u64::from(registers[0]) * 32;
    let [a, b, c, d, s, t] = registers;
    let mut all = [a, b, c, d, s, t, if by_page { stub as u32 } else { 0 }];
    // SAFETY: the array outlives the call; every register that Rust relies on is put back.
    unsafe { narrow_registers(&raw mut all) };
    registers.copy_from_slice(&all[..6]);
    registers
}

/// A hypercall from compatibility mode.
pub fn call(nr: u32, args: [u32; 5]) -> HyperResult {
    let [b, c, d, s, t] = args;
    split(registers([nr, b, c, d, s, t], false)[0])
}

/// A call about a structure, whose 32-bit form is at the start of `page` for its time: `cmd` and
/// its address.
pub fn op<T: Layout>(page: Page, nr: u32, cmd: u32, arg: &mut T) -> HyperResult {
    put(page, 0, arg);
    // A third argument: the number of structures, for those calls that have one.
    let result = call(nr, [cmd, low(page), 1, 0, 0]);
    *arg = take(page, 0);
    result
}

/// A state in which a vCPU begins as the worker: in flat segments, without paging.
pub fn state(mailbox: Page) -> VcpuHvmX8632 {
    VcpuHvmX8632 {
        eip: (&raw const narrow_worker as u64 - VIRT_BASE) as u32,
        ebp: low(mailbox),
        esp: low(mailbox) + 4096,
        eflags: 2,
        cr0: 0x11,
        cs_limit: u32::MAX,
        ds_limit: u32::MAX,
        ss_limit: u32::MAX,
        es_limit: u32::MAX,
        tr_limit: 0x67,
        cs_ar: 0xc9b,
        ds_ar: 0xc93,
        ss_ar: 0xc93,
        es_ar: 0xc93,
        tr_ar: 0x8b,
        ..Default::default()
    }
}

/// Gives vCPU 1 a state, by a call from 32-bit code.
pub fn initialise(scratch: Page, state: &VcpuHvmX8632) -> HyperResult {
    let mut context = VcpuHvmContext {
        mode: VCPU_HVM_MODE_32B,
        ..Default::default()
    };
    let _ = state.write_to_prefix(context.cpu_regs.as_mut_bytes());
    put(scratch, 0, &context);
    call(
        xen_abi::hypercall::VCPU_OP,
        [VCPUOP_initialise, 1, low(scratch), 0, 0],
    )
}

/// Starts vCPU 1 as the worker.
pub fn start(scratch: Page) -> HyperResult {
    let mailbox = mem::alloc();
    initialise(scratch, &state(mailbox))?;
    *MAILBOX.lock() = Some(mailbox);
    call(xen_abi::hypercall::VCPU_OP, [VCPUOP_up, 1, 0, 0, 0])
}

/// Has the worker do something; `None` when it does not come to an end within a while.
fn tell(what: u32, words: [u32; 6]) -> Option<[u32; 6]> {
    let mailbox = (*MAILBOX.lock())?;
    let word = |n: usize| mailbox.dword(n);
    for (n, value) in (1..).zip(words) {
        word(n).store(value, Ordering::SeqCst);
    }
    word(0).store(what, Ordering::SeqCst);
    let done = time::wait(5000 * time::MS, || word(0).load(Ordering::SeqCst) == 0);
    let read = core::array::from_fn(|n| word(n + 1).load(Ordering::SeqCst));
    done.then_some(read)
}

/// A hypercall by the worker. Errors: the call's; -1 when the worker is gone.
pub fn worker_call(nr: u32, args: [u32; 5]) -> HyperResult {
    let [b, c, d, s, t] = args;
    let done = tell(CALL, [nr, b, c, d, s, t]).ok_or(-1)?;
    split(done[0])
}

/// Has the worker turn paging off and on again with these registers; whether it could.
pub fn worker_paging(cr3: u32, cr4: u32, cr0: u32) -> bool {
    tell(PAGING, [0, cr3, cr4, cr0, 0, 0]).is_some()
}

/// Has the worker go on in ring 3, for good; whether it could.
pub fn worker_to_ring_3() -> bool {
    tell(RING_3, [0; 6]).is_some()
}

//! The trap table, the callbacks and `catch`.
//!
//! A trap inside [`catch`] ends the closure and is reported as a [`Fault`]; anywhere else it ends
//! the run. Recovery is a jump over Rust frames, so closures given to `catch` own nothing that
//! needs dropping. Owns one last-fault record per vCPU, written by its trap handler only.
//!
//! Unsafe: trap entry and the jump.

use crate::entry::STACK_SIZE;
use crate::hypercall;
use crate::local::{self, MAX_VCPUS};
use core::arch::global_asm;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use xen_abi::arch_x86::TrapInfo;
use xen_abi::callback::{
    CALLBACKOP_register, CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall,
    CallbackRegister,
};

/// The pseudo vector of a `SYSCALL` from user mode.
pub const SYSCALL: u64 = 0x100;
/// The pseudo vector of the event callback.
pub const EVENT: u64 = 0x101;
/// The pseudo vector of the failsafe callback.
pub const FAILSAFE: u64 = 0x102;
/// The pseudo vector of a `SYSCALL` from 32-bit user mode; its callback is not registered.
pub const SYSCALL32: u64 = 0x103;
/// The pseudo vector of a `SYSENTER`; its callback is not registered.
pub const SYSENTER: u64 = 0x104;
/// The vector of the software interrupt that user mode may raise.
pub const INT80: u64 = 0x80;

/// The kernel's code selector as Xen shows it in a frame: ring 0, meaning kernel mode.
const KERNEL_CS: u64 = 0xe030;
const KERNEL_SS: u64 = 0xe02b;

/// A trap that ended a `catch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Exception vector, or one of the pseudo vectors of this module.
    pub vector: u64,
    /// Error code; 0 for traps without one.
    pub error: u64,
    /// Where it happened.
    pub rip: u64,
    /// Code selector and, in its upper half, the saved upcall mask.
    pub cs: u64,
    /// Flags.
    pub rflags: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Faulting address; meaningful for vector 14.
    pub cr2: u64,
    /// rax at the trap.
    pub rax: u64,
    /// rcx at the trap.
    pub rcx: u64,
    /// r11 at the trap.
    pub r11: u64,
}

#[repr(C)]
pub(crate) struct Frame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    rbp: u64,
    rbx: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rax: u64,
    rcx: u64,
    rdx: u64,
    rsi: u64,
    rdi: u64,
    pub(crate) vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

global_asm!(
    ".macro TRAP_STUB n, has_error",
    "trap_stub_\\n:",
    "    pop rcx",
    "    pop r11",
    "    .if \\has_error == 0",
    "    push 0",
    "    .endif",
    "    push \\n",
    "    jmp trap_common",
    "    .balign 16",
    ".endm",
    ".section .text.traps, \"ax\", @progbits",
    ".globl trap_stubs, catch_enter, catch_fault, trap_failsafe, trap_step2, trap_stub_0x80, trap_stub_0x100, trap_stub_0x101, trap_stub_0x103, trap_stub_0x104",
    ".balign 16",
    "trap_stubs:",
    "    TRAP_STUB 0, 0",
    "    TRAP_STUB 1, 0",
    "    TRAP_STUB 2, 0",
    "    TRAP_STUB 3, 0",
    "    TRAP_STUB 4, 0",
    "    TRAP_STUB 5, 0",
    "    TRAP_STUB 6, 0",
    "    TRAP_STUB 7, 0",
    "    TRAP_STUB 8, 1",
    "    TRAP_STUB 9, 0",
    "    TRAP_STUB 10, 1",
    "    TRAP_STUB 11, 1",
    "    TRAP_STUB 12, 1",
    "    TRAP_STUB 13, 1",
    "    TRAP_STUB 14, 1",
    "    TRAP_STUB 15, 0",
    "    TRAP_STUB 16, 0",
    "    TRAP_STUB 17, 1",
    "    TRAP_STUB 18, 0",
    "    TRAP_STUB 19, 0",
    "    TRAP_STUB 0x80, 0",
    "    TRAP_STUB 0x100, 0",
    "    TRAP_STUB 0x101, 0",
    "    TRAP_STUB 0x103, 0",
    "    TRAP_STUB 0x104, 0",
    // The failsafe frame has ds, es, fs, gs between r11 and rip.
    "trap_failsafe:",
    "    pop rcx",
    "    pop r11",
    "    add rsp, 32",
    "    push 0",
    "    push 0x102",
    "trap_common:",
    "    push rdi",
    "    push rsi",
    "    push rdx",
    "    push rcx",
    "    push rax",
    "    push r8",
    "    push r9",
    "    push r10",
    "    push r11",
    "    push rbx",
    "    push rbp",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    cld",
    "    mov rdi, rsp",
    "    mov rbx, rsp",
    "    and rsp, -16",
    "    call {handler}",
    "    mov rsp, rbx",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop rbp",
    "    pop rbx",
    "    pop r11",
    "    pop r10",
    "    pop r9",
    "    pop r8",
    "    pop rax",
    "    pop rcx",
    "    pop rdx",
    "    pop rsi",
    "    pop rdi",
    "    add rsp, 16",
    "    push 0",
    "    jmp hypercall_page + 23 * 32",
    // Steps over a two-byte instruction and returns: the shortest handler there can be.
    "trap_step2:",
    "    pop rcx",
    "    pop r11",
    "    add qword ptr [rsp], 2",
    "    push 0",
    "    jmp hypercall_page + 23 * 32",
    // catch_enter(rdi: fn(*mut u8), rsi: *mut u8) -> 0, or 1 after a trap.
    "catch_enter:",
    "    push rbx",
    "    push rbp",
    "    push r12",
    "    push r13",
    "    push r14",
    "    push r15",
    "    mov rax, rsp",
    "    and rax, -{stack_size}",
    "    push qword ptr [rax + 8]",
    "    mov [rax + 8], rsp",
    "    mov rax, rdi",
    "    mov rdi, rsi",
    "    call rax",
    "    xor eax, eax",
    "catch_out:",
    "    mov rcx, rsp",
    "    and rcx, -{stack_size}",
    "    pop qword ptr [rcx + 8]",
    "    pop r15",
    "    pop r14",
    "    pop r13",
    "    pop r12",
    "    pop rbp",
    "    pop rbx",
    "    ret",
    "catch_fault:",
    "    mov eax, 1",
    "    jmp catch_out",
    handler = sym handle,
    stack_size = const STACK_SIZE,
);

unsafe extern "C" {
    fn catch_enter(body: extern "C" fn(*mut u8), arg: *mut u8) -> u64;
    static catch_fault: [u8; 0];
    static trap_stubs: [u8; 0];
    static trap_stub_0x80: [u8; 0];
    static trap_stub_0x100: [u8; 0];
    static trap_stub_0x101: [u8; 0];
    static trap_stub_0x103: [u8; 0];
    static trap_stub_0x104: [u8; 0];
    static trap_failsafe: [u8; 0];
    static trap_step2: [u8; 0];
}

const FIELDS: usize = 10;
static LAST: [[AtomicU64; FIELDS]; MAX_VCPUS] =
    [const { [const { AtomicU64::new(0) }; FIELDS] }; MAX_VCPUS];

fn vcpu_info_byte(offset: u64) -> Option<&'static AtomicU8> {
    let base = local::this().vcpu_info.load(Ordering::Relaxed);
    // SAFETY: the mapped `vcpu_info` of this vCPU, shared with the hypervisor, atomics only.
    (base != 0).then(|| unsafe { &*((base + offset) as *const AtomicU8) })
}

/// The running vCPU's `evtchn_upcall_pending`.
///
/// # Panics
/// Before the shared page is mapped.
pub fn upcall_pending() -> &'static AtomicU8 {
    vcpu_info_byte(0).expect("vcpu_info is mapped")
}

/// The running vCPU's `evtchn_upcall_mask`.
///
/// # Panics
/// Before the shared page is mapped.
pub fn upcall_mask() -> &'static AtomicU8 {
    vcpu_info_byte(1).expect("vcpu_info is mapped")
}

/// The running vCPU's `evtchn_pending_sel`.
///
/// # Panics
/// Before the shared page is mapped.
pub fn pending_selector() -> &'static AtomicU64 {
    let base = local::this().vcpu_info.load(Ordering::Relaxed);
    assert!(base != 0, "vcpu_info is not mapped");
    // SAFETY: as `vcpu_info_byte`.
    unsafe { &*((base + 8) as *const AtomicU64) }
}

fn cr2() -> u64 {
    let base = local::this().vcpu_info.load(Ordering::Relaxed);
    if base == 0 {
        return 0;
    }
    // SAFETY: `arch.cr2` of the mapped `vcpu_info`.
    unsafe { &*((base + 16) as *const AtomicU64) }.load(Ordering::Relaxed)
}

extern "C" fn handle(frame: &mut Frame) {
    let local = local::this();
    if frame.vector == EVENT {
        local.upcalls.fetch_add(1, Ordering::Relaxed);
        upcall_pending().store(0, Ordering::SeqCst);
        return;
    }
    let cr2 = if frame.vector == 14 { cr2() } else { 0 };
    recover(frame, fault_of(frame, cr2), Some((KERNEL_CS, KERNEL_SS)));
}

/// What a frame says.
pub(crate) fn fault_of(frame: &Frame, cr2: u64) -> Fault {
    Fault {
        vector: frame.vector,
        error: frame.error,
        rip: frame.rip,
        cs: frame.cs,
        rflags: frame.rflags,
        rsp: frame.rsp,
        cr2,
        rax: frame.rax,
        rcx: frame.rcx,
        r11: frame.r11,
    }
}

/// Steps over the instruction if that is wanted, or ends the `catch` that runs, with other
/// selectors when they are given.
pub(crate) fn recover(frame: &mut Frame, fault: Fault, selectors: Option<(u64, u64)>) {
    let local = local::this();
    if local.skip_vector.load(Ordering::Relaxed) == frame.vector + 1 {
        frame.rip += local.skip_bytes.load(Ordering::Relaxed);
        return;
    }
    let rsp = local.recover_rsp.load(Ordering::Relaxed);
    if rsp == 0 {
        panic!("trap outside catch: {fault:x?}");
    }
    save(&fault);
    frame.rip = &raw const catch_fault as u64;
    frame.rsp = rsp;
    if let Some((cs, ss)) = selectors {
        frame.cs = cs;
        frame.ss = ss;
    }
    frame.rflags &= !0x4_7700; // AC, NT, IOPL, DF, IF (events masked), TF
}

fn save(fault: &Fault) {
    let f = fault;
    let values = [
        f.vector, f.error, f.rip, f.cs, f.rflags, f.rsp, f.cr2, f.rax, f.rcx, f.r11,
    ];
    if let Some(record) = LAST.get(local::id()) {
        for (slot, value) in record.iter().zip(values) {
            slot.store(value, Ordering::Relaxed);
        }
    }
}

fn last() -> Fault {
    let mut v = [0; FIELDS];
    if let Some(record) = LAST.get(local::id()) {
        for (value, slot) in v.iter_mut().zip(record) {
            *value = slot.load(Ordering::Relaxed);
        }
    }
    let [vector, error, rip, cs, rflags, rsp, cr2, rax, rcx, r11] = v;
    Fault {
        vector,
        error,
        rip,
        cs,
        rflags,
        rsp,
        cr2,
        rax,
        rcx,
        r11,
    }
}

/// Runs `body`; a trap in it ends it and is returned. `body` must own nothing that drops.
pub fn catch<T: Copy, F: FnOnce() -> T>(body: F) -> Result<T, Fault> {
    struct Call<F, T> {
        body: Option<F>,
        result: MaybeUninit<T>,
    }
    extern "C" fn run<T, F: FnOnce() -> T>(arg: *mut u8) {
        // SAFETY: `arg` is the `Call` below, which outlives `catch_enter` and has no other user.
        let call = unsafe { &mut *arg.cast::<Call<F, T>>() };
        if let Some(body) = call.body.take() {
            call.result.write(body());
        }
    }
    let mut call = Call {
        body: Some(body),
        result: MaybeUninit::uninit(),
    };
    // SAFETY: `run` is instantiated for this `Call`; the assembly keeps the C ABI's registers
    // on both ways out.
    let trapped = unsafe { catch_enter(run::<T, F>, (&raw mut call).cast()) };
    if trapped == 0 {
        // SAFETY: `run` returned, so it wrote the result.
        Ok(unsafe { call.result.assume_init() })
    } else {
        Err(last())
    }
}

/// The address of the stub for an exception vector below 20 or one of the other entries.
pub fn stub(vector: u64) -> u64 {
    let start = &raw const trap_stubs as u64;
    match vector {
        0..20 => start + vector * 16,
        INT80 => &raw const trap_stub_0x80 as u64,
        SYSCALL => &raw const trap_stub_0x100 as u64,
        EVENT => &raw const trap_stub_0x101 as u64,
        SYSCALL32 => &raw const trap_stub_0x103 as u64,
        SYSENTER => &raw const trap_stub_0x104 as u64,
        _ => &raw const trap_failsafe as u64,
    }
}

/// The address of the handler that only steps over a two-byte instruction.
pub fn step2() -> u64 {
    &raw const trap_step2 as u64
}

/// The runtime's trap table: exceptions, `int3`, `into` and `int 0x80` open to user mode, and
/// the terminating entry.
pub fn table() -> [TrapInfo; 22] {
    let mut table = [TrapInfo::default(); 22];
    for (vector, entry) in table.iter_mut().take(20).enumerate() {
        let dpl = if vector == 3 || vector == 4 { 3 } else { 0 };
        *entry = TrapInfo {
            vector: vector as u8,
            flags: dpl,
            cs: 0xe033,
            _pad0: 0,
            address: stub(vector as u64),
        };
    }
    table[20] = TrapInfo {
        vector: 0x80,
        flags: 3,
        cs: 0xe033,
        _pad0: 0,
        address: stub(INT80),
    };
    table
}

/// Registers the runtime's trap table.
pub fn install() -> hypercall::HyperResult {
    let table = table();
    hypercall::call(
        xen_abi::hypercall::SET_TRAP_TABLE,
        [table.as_ptr() as u64, 0, 0, 0, 0],
    )
}

/// Registers one callback.
pub fn register_callback(kind: u16, flags: u16, address: u64) -> hypercall::HyperResult {
    let arg = CallbackRegister {
        r#type: kind,
        flags,
        _pad0: 0,
        address,
    };
    hypercall::call(
        xen_abi::hypercall::CALLBACK_OP,
        [
            u64::from(CALLBACKOP_register),
            &raw const arg as u64,
            0,
            0,
            0,
        ],
    )
}

pub(crate) fn init() {
    let registered = install()
        .and_then(|_| register_callback(CALLBACKTYPE_event, 0, stub(EVENT)))
        .and_then(|_| register_callback(CALLBACKTYPE_failsafe, 0, stub(FAILSAFE)))
        .and_then(|_| register_callback(CALLBACKTYPE_syscall, 0, stub(SYSCALL)));
    if let Err(errno) = registered {
        crate::println!("GUEST-NOTE traps or callbacks refused: errno {errno}");
    }
}

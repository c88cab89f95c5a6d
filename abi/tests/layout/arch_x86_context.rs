//! Layouts of `arch_x86::context`, as a C compiler lays out the public headers.

use xen_abi::arch_x86::context::*;

layouts! {
    CpuUserRegs: 200 { r15: 0, r14: 8, r13: 16, r12: 24, rbp: 32, rbx: 40, r11: 48, r10: 56, r9: 64, r8: 72, rax: 80, rcx: 88, rdx: 96, rsi: 104, rdi: 112, error_code: 120, entry_vector: 124, rip: 128, cs: 136, _pad0: 138, saved_upcall_mask: 140, _pad1: 141, rflags: 144, rsp: 152, ss: 160, _pad2: 162, es: 168, _pad3: 170, ds: 176, _pad4: 178, fs: 184, _pad5: 186, gs: 192, _pad6: 194 }
    TrapInfo: 16 { vector: 0, flags: 1, cs: 2, address: 8 }
    VcpuGuestContext: 5168 { fpu_ctxt: 0, flags: 512, user_regs: 520, trap_ctxt: 720, ldt_base: 4816, ldt_ents: 4824, gdt_frames: 4832, gdt_ents: 4960, kernel_ss: 4968, kernel_sp: 4976, ctrlreg: 4984, debugreg: 5048, event_callback_eip: 5112, failsafe_callback_eip: 5120, syscall_callback_eip: 5128, vm_assist: 5136, fs_base: 5144, gs_base_kernel: 5152, gs_base_user: 5160 }
    IretContext: 72 { rax: 0, r11: 8, rcx: 16, flags: 24, rip: 32, cs: 40, rflags: 48, rsp: 56, ss: 64 }
    CpuidLeaf: 24 { leaf: 0, subleaf: 4, a: 8, b: 12, c: 16, d: 20 }
    MsrEntry: 16 { idx: 0, flags: 4, val: 8 }
    ArchDomainconfig: 8 { emulation_flags: 0, misc_flags: 4 }
}

//! Layouts of `hvm::save`, as a C compiler lays out the public headers.

use xen_abi::hvm::save::*;

layouts! {
    HvmSaveDescriptor: 8 { typecode: 0, instance: 2, length: 4 }
    HvmSaveHeader: 24 { magic: 0, version: 4, changeset: 8, cpuid: 16, gtsc_khz: 20 }
    HvmHwCpu: 1032 { fpu_regs: 0, rax: 512, rbx: 520, rcx: 528, rdx: 536, rbp: 544, rsi: 552, rdi: 560, rsp: 568, r8: 576, r9: 584, r10: 592, r11: 600, r12: 608, r13: 616, r14: 624, r15: 632, rip: 640, rflags: 648, cr0: 656, cr2: 664, cr3: 672, cr4: 680, dr0: 688, dr1: 696, dr2: 704, dr3: 712, dr6: 720, dr7: 728, cs_sel: 736, ds_sel: 740, es_sel: 744, fs_sel: 748, gs_sel: 752, ss_sel: 756, tr_sel: 760, ldtr_sel: 764, cs_limit: 768, ds_limit: 772, es_limit: 776, fs_limit: 780, gs_limit: 784, ss_limit: 788, tr_limit: 792, ldtr_limit: 796, idtr_limit: 800, gdtr_limit: 804, cs_base: 808, ds_base: 816, es_base: 824, fs_base: 832, gs_base: 840, ss_base: 848, tr_base: 856, ldtr_base: 864, idtr_base: 872, gdtr_base: 880, cs_arbytes: 888, ds_arbytes: 892, es_arbytes: 896, fs_arbytes: 900, gs_arbytes: 904, ss_arbytes: 908, tr_arbytes: 912, ldtr_arbytes: 916, sysenter_cs: 920, sysenter_esp: 928, sysenter_eip: 936, shadow_gs: 944, msr_flags: 952, msr_lstar: 960, msr_star: 968, msr_cstar: 976, msr_syscall_mask: 984, msr_efer: 992, msr_tsc_aux: 1000, tsc: 1008, pending_event: 1016, error_code: 1020, flags: 1024, pad0: 1028 }
    HvmHwMtrr: 240 { msr_pat_cr: 0, msr_mtrr_var: 8, msr_mtrr_fixed: 136, msr_mtrr_cap: 224, msr_mtrr_def_type: 232 }
    HvmHwCpuXsaveHdr: 64 { xstate_bv: 0, xcomp_bv: 8, reserved: 16 }
    HvmHwCpuXsaveSaveArea: 576 { fpu_sse: 0, xsave_hdr: 512 }
    HvmHwCpuXsave: 600 { xfeature_mask: 0, xcr0: 8, xcr0_accum: 16, save_area: 24 }
    HvmViridianDomainContext: 32 { hypercall_gpa: 0, guest_os_id: 8, time_ref_count: 16, reference_tsc: 24 }
    HvmViridianVcpuContext: 216 { vp_assist_msr: 0, apic_assist_pending: 8, _pad: 9, simp_msr: 16, sint_msr: 24, stimer_config_msr: 152, stimer_count_msr: 184 }
    HvmVmceVcpu: 32 { caps: 0, mci_ctl2_bank0: 8, mci_ctl2_bank1: 16, mcg_ext_ctl: 24 }
    HvmTscAdjust: 8 { tsc_adjust: 0 }
    HvmMsr: 8 { count: 0 }
    HvmOneMsr: 16 { index: 0, _rsvd: 4, val: 8 }
}

//! Parameters of an HVM guest. `hvm/params.h`.

use crate::forms::numbers;

numbers! {
    /// An index of [`HvmParam`](super::HvmParam).
    u32, HVM_PARAMS;
    HVM_PARAM_PAE_ENABLED = 4;
    HVM_PARAM_DM_DOMAIN = 13;
    HVM_PARAM_MEMORY_EVENT_CR0 = 20;
    HVM_PARAM_MEMORY_EVENT_CR3 = 21;
    HVM_PARAM_MEMORY_EVENT_CR4 = 22;
    HVM_PARAM_MEMORY_EVENT_INT3 = 23;
    HVM_PARAM_NESTEDHVM = 24;
    HVM_PARAM_MEMORY_EVENT_SINGLE_STEP = 25;
    HVM_PARAM_BUFIOREQ_EVTCHN = 26;
    HVM_PARAM_MEMORY_EVENT_MSR = 30;
    HVM_PARAM_CALLBACK_IRQ = 0;
    HVM_PARAM_STORE_PFN = 1;
    HVM_PARAM_STORE_EVTCHN = 2;
    HVM_PARAM_IOREQ_PFN = 5;
    HVM_PARAM_BUFIOREQ_PFN = 6;
    HVM_PARAM_VIRIDIAN = 9;
    HVM_PARAM_TIMER_MODE = 10;
    HVM_PARAM_HPET_ENABLED = 11;
    HVM_PARAM_IDENT_PT = 12;
    HVM_PARAM_ACPI_S_STATE = 14;
    HVM_PARAM_VM86_TSS = 15;
    HVM_PARAM_VPT_ALIGN = 16;
    HVM_PARAM_CONSOLE_PFN = 17;
    HVM_PARAM_CONSOLE_EVTCHN = 18;
    HVM_PARAM_ACPI_IOPORTS_LOCATION = 19;
    HVM_PARAM_PAGING_RING_PFN = 27;
    HVM_PARAM_MONITOR_RING_PFN = 28;
    HVM_PARAM_SHARING_RING_PFN = 29;
    HVM_PARAM_TRIPLE_FAULT_REASON = 31;
    HVM_PARAM_IOREQ_SERVER_PFN = 32;
    HVM_PARAM_NR_IOREQ_SERVER_PAGES = 33;
    HVM_PARAM_VM_GENERATION_ID_ADDR = 34;
    HVM_PARAM_ALTP2M = 35;
    HVM_PARAM_X87_FIP_WIDTH = 36;
    HVM_PARAM_VM86_TSS_SIZED = 37;
    HVM_PARAM_MCA_CAP = 38;
}

numbers! {
    /// Number of parameters.
    u32;
    HVM_NR_PARAMS = 39;
}

numbers! {
    /// The kind of callback, in the top byte of `HVM_PARAM_CALLBACK_IRQ`.
    u64;
    HVM_PARAM_CALLBACK_IRQ_TYPE_MASK = 0xff00_0000_0000_0000;
    HVM_PARAM_CALLBACK_TYPE_GSI = 0;
    HVM_PARAM_CALLBACK_TYPE_PCI_INTX = 1;
    HVM_PARAM_CALLBACK_TYPE_VECTOR = 2;
}

numbers! {
    /// A bit of `HVM_PARAM_VIRIDIAN`.
    u64;
    HVMPV_base_freq = 1;
    HVMPV_no_freq = 1 << 1;
    HVMPV_time_ref_count = 1 << 2;
    HVMPV_reference_tsc = 1 << 3;
    HVMPV_hcall_remote_tlb_flush = 1 << 4;
    HVMPV_apic_assist = 1 << 5;
    HVMPV_crash_ctl = 1 << 6;
    HVMPV_synic = 1 << 7;
    HVMPV_stimer = 1 << 8;
    HVMPV_hcall_ipi = 1 << 9;
    HVMPV_ex_processor_masks = 1 << 10;
    HVMPV_no_vp_limit = 1 << 11;
    HVMPV_cpu_hotplug = 1 << 12;
    HVMPV_feature_mask = 8191;
}

numbers! {
    /// A value of `HVM_PARAM_TIMER_MODE`.
    u64;
    HVMPTM_delay_for_missed_ticks = 0;
    HVMPTM_no_delay_for_missed_ticks = 1;
    HVMPTM_no_missed_ticks_pending = 2;
    HVMPTM_one_missed_tick_pending = 3;
}

numbers! {
    /// A value of `HVM_PARAM_ALTP2M`.
    u64;
    XEN_ALTP2M_disabled = 0;
    XEN_ALTP2M_mixed = 1;
    XEN_ALTP2M_external = 2;
    XEN_ALTP2M_limited = 3;
}

numbers! {
    /// A bit of `HVM_PARAM_MCA_CAP`.
    u64;
    XEN_HVM_MCA_CAP_LMCE = 0x1;
    XEN_HVM_MCA_CAP_MASK = 1;
}

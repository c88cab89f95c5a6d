//! The hypervisor's CPUID leaves. `arch-x86/cpuid.h`.

use crate::forms::numbers;

numbers! {
    /// A leaf or a part of the signature "XenVMMXenVMM".
    u32;
    XEN_CPUID_FIRST_LEAF = 0x4000_0000;
    XEN_CPUID_SIGNATURE_EBX = 0x566e_6558;
    XEN_CPUID_SIGNATURE_ECX = 0x6558_4d4d;
    XEN_CPUID_SIGNATURE_EDX = 0x4d4d_566e;
    XEN_CPUID_MAX_NUM_LEAVES = 5;
}

numbers! {
    /// A bit or value of the second leaf (features) or the fourth (time).
    u32;
    XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD = 1;
    XEN_CPUID_TSC_EMULATED = 1;
    XEN_CPUID_HOST_TSC_RELIABLE = 1 << 1;
    XEN_CPUID_RDTSCP_INSTR_AVAIL = 1 << 2;
    XEN_CPUID_TSC_MODE_DEFAULT = 0;
    XEN_CPUID_TSC_MODE_ALWAYS_EMULATE = 1;
    XEN_CPUID_TSC_MODE_NEVER_EMULATE = 2;
    XEN_CPUID_TSC_MODE_PVRDTSCP = 3;
}

numbers! {
    /// A bit of the fifth leaf's EAX (HVM).
    u32;
    XEN_HVM_CPUID_APIC_ACCESS_VIRT = 1;
    XEN_HVM_CPUID_X2APIC_VIRT = 1 << 1;
    XEN_HVM_CPUID_IOMMU_MAPPINGS = 1 << 2;
    XEN_HVM_CPUID_VCPU_ID_PRESENT = 1 << 3;
    XEN_HVM_CPUID_DOMID_PRESENT = 1 << 4;
    XEN_HVM_CPUID_EXT_DEST_ID = 1 << 5;
    XEN_HVM_CPUID_UPCALL_VECTOR = 1 << 6;
}

numbers! {
    /// Mask of the machine address width in the sixth leaf.
    u32;
    XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK = 0xff;
}

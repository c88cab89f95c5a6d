//! Processor features as bits of a feature set: word n holds the register that
//! the group names. `arch-x86/cpufeatureset.h`.

use crate::forms::numbers;

/// The number of a bit in a feature set of 32-bit words.
const fn bit(word: u32, bit: u32) -> u32 {
    word * 32 + bit
}

numbers! {
    /// A feature in word 0 (CPUID 1.EDX): its bit in the whole set.
    u32, FEATURES_0;
    XEN_X86_FEATURE_FPU = bit(0, 0);
    XEN_X86_FEATURE_VME = bit(0, 1);
    XEN_X86_FEATURE_DE = bit(0, 2);
    XEN_X86_FEATURE_PSE = bit(0, 3);
    XEN_X86_FEATURE_TSC = bit(0, 4);
    XEN_X86_FEATURE_MSR = bit(0, 5);
    XEN_X86_FEATURE_PAE = bit(0, 6);
    XEN_X86_FEATURE_MCE = bit(0, 7);
    XEN_X86_FEATURE_CX8 = bit(0, 8);
    XEN_X86_FEATURE_APIC = bit(0, 9);
    XEN_X86_FEATURE_SEP = bit(0, 11);
    XEN_X86_FEATURE_MTRR = bit(0, 12);
    XEN_X86_FEATURE_PGE = bit(0, 13);
    XEN_X86_FEATURE_MCA = bit(0, 14);
    XEN_X86_FEATURE_CMOV = bit(0, 15);
    XEN_X86_FEATURE_PAT = bit(0, 16);
    XEN_X86_FEATURE_PSE36 = bit(0, 17);
    XEN_X86_FEATURE_CLFLUSH = bit(0, 19);
    XEN_X86_FEATURE_DS = bit(0, 21);
    XEN_X86_FEATURE_ACPI = bit(0, 22);
    XEN_X86_FEATURE_MMX = bit(0, 23);
    XEN_X86_FEATURE_FXSR = bit(0, 24);
    XEN_X86_FEATURE_SSE = bit(0, 25);
    XEN_X86_FEATURE_SSE2 = bit(0, 26);
    XEN_X86_FEATURE_SS = bit(0, 27);
    XEN_X86_FEATURE_HTT = bit(0, 28);
    XEN_X86_FEATURE_TM1 = bit(0, 29);
    XEN_X86_FEATURE_PBE = bit(0, 31);
}

numbers! {
    /// A feature in word 1 (CPUID 1.ECX): its bit in the whole set.
    u32, FEATURES_1;
    XEN_X86_FEATURE_SSE3 = bit(1, 0);
    XEN_X86_FEATURE_PCLMULQDQ = bit(1, 1);
    XEN_X86_FEATURE_DTES64 = bit(1, 2);
    XEN_X86_FEATURE_MONITOR = bit(1, 3);
    XEN_X86_FEATURE_DSCPL = bit(1, 4);
    XEN_X86_FEATURE_VMX = bit(1, 5);
    XEN_X86_FEATURE_SMX = bit(1, 6);
    XEN_X86_FEATURE_EIST = bit(1, 7);
    XEN_X86_FEATURE_TM2 = bit(1, 8);
    XEN_X86_FEATURE_SSSE3 = bit(1, 9);
    XEN_X86_FEATURE_SDBG = bit(1, 11);
    XEN_X86_FEATURE_FMA = bit(1, 12);
    XEN_X86_FEATURE_CX16 = bit(1, 13);
    XEN_X86_FEATURE_XTPR = bit(1, 14);
    XEN_X86_FEATURE_PDCM = bit(1, 15);
    XEN_X86_FEATURE_PCID = bit(1, 17);
    XEN_X86_FEATURE_DCA = bit(1, 18);
    XEN_X86_FEATURE_SSE4_1 = bit(1, 19);
    XEN_X86_FEATURE_SSE4_2 = bit(1, 20);
    XEN_X86_FEATURE_X2APIC = bit(1, 21);
    XEN_X86_FEATURE_MOVBE = bit(1, 22);
    XEN_X86_FEATURE_POPCNT = bit(1, 23);
    XEN_X86_FEATURE_TSC_DEADLINE = bit(1, 24);
    XEN_X86_FEATURE_AESNI = bit(1, 25);
    XEN_X86_FEATURE_XSAVE = bit(1, 26);
    XEN_X86_FEATURE_OSXSAVE = bit(1, 27);
    XEN_X86_FEATURE_AVX = bit(1, 28);
    XEN_X86_FEATURE_F16C = bit(1, 29);
    XEN_X86_FEATURE_RDRAND = bit(1, 30);
    XEN_X86_FEATURE_HYPERVISOR = bit(1, 31);
}

numbers! {
    /// A feature in word 2 (CPUID 0x80000001.EDX): its bit in the whole set.
    u32, FEATURES_2;
    XEN_X86_FEATURE_SYSCALL = bit(2, 11);
    XEN_X86_FEATURE_NX = bit(2, 20);
    XEN_X86_FEATURE_MMXEXT = bit(2, 22);
    XEN_X86_FEATURE_FFXSR = bit(2, 25);
    XEN_X86_FEATURE_PAGE1GB = bit(2, 26);
    XEN_X86_FEATURE_RDTSCP = bit(2, 27);
    XEN_X86_FEATURE_LM = bit(2, 29);
    XEN_X86_FEATURE_3DNOWEXT = bit(2, 30);
    XEN_X86_FEATURE_3DNOW = bit(2, 31);
}

numbers! {
    /// A feature in word 3 (CPUID 0x80000001.ECX): its bit in the whole set.
    u32, FEATURES_3;
    XEN_X86_FEATURE_LAHF_LM = bit(3, 0);
    XEN_X86_FEATURE_CMP_LEGACY = bit(3, 1);
    XEN_X86_FEATURE_SVM = bit(3, 2);
    XEN_X86_FEATURE_EXTAPIC = bit(3, 3);
    XEN_X86_FEATURE_CR8_LEGACY = bit(3, 4);
    XEN_X86_FEATURE_ABM = bit(3, 5);
    XEN_X86_FEATURE_SSE4A = bit(3, 6);
    XEN_X86_FEATURE_MISALIGNSSE = bit(3, 7);
    XEN_X86_FEATURE_3DNOWPREFETCH = bit(3, 8);
    XEN_X86_FEATURE_OSVW = bit(3, 9);
    XEN_X86_FEATURE_IBS = bit(3, 10);
    XEN_X86_FEATURE_XOP = bit(3, 11);
    XEN_X86_FEATURE_SKINIT = bit(3, 12);
    XEN_X86_FEATURE_WDT = bit(3, 13);
    XEN_X86_FEATURE_LWP = bit(3, 15);
    XEN_X86_FEATURE_FMA4 = bit(3, 16);
    XEN_X86_FEATURE_NODEID_MSR = bit(3, 19);
    XEN_X86_FEATURE_TBM = bit(3, 21);
    XEN_X86_FEATURE_TOPOEXT = bit(3, 22);
    XEN_X86_FEATURE_DBEXT = bit(3, 26);
    XEN_X86_FEATURE_MONITORX = bit(3, 29);
    XEN_X86_FEATURE_ADDR_MSK_EXT = bit(3, 30);
}

numbers! {
    /// A feature in word 4 (CPUID 0xd subleaf 1 EAX): its bit in the whole set.
    u32, FEATURES_4;
    XEN_X86_FEATURE_XSAVEOPT = bit(4, 0);
    XEN_X86_FEATURE_XSAVEC = bit(4, 1);
    XEN_X86_FEATURE_XGETBV1 = bit(4, 2);
    XEN_X86_FEATURE_XSAVES = bit(4, 3);
    XEN_X86_FEATURE_XFD = bit(4, 4);
}

numbers! {
    /// A feature in word 5 (CPUID 7.EBX): its bit in the whole set.
    u32, FEATURES_5;
    XEN_X86_FEATURE_FSGSBASE = bit(5, 0);
    XEN_X86_FEATURE_TSC_ADJUST = bit(5, 1);
    XEN_X86_FEATURE_SGX = bit(5, 2);
    XEN_X86_FEATURE_BMI1 = bit(5, 3);
    XEN_X86_FEATURE_HLE = bit(5, 4);
    XEN_X86_FEATURE_AVX2 = bit(5, 5);
    XEN_X86_FEATURE_FDP_EXCP_ONLY = bit(5, 6);
    XEN_X86_FEATURE_SMEP = bit(5, 7);
    XEN_X86_FEATURE_BMI2 = bit(5, 8);
    XEN_X86_FEATURE_ERMS = bit(5, 9);
    XEN_X86_FEATURE_INVPCID = bit(5, 10);
    XEN_X86_FEATURE_RTM = bit(5, 11);
    XEN_X86_FEATURE_PQM = bit(5, 12);
    XEN_X86_FEATURE_NO_FPU_SEL = bit(5, 13);
    XEN_X86_FEATURE_MPX = bit(5, 14);
    XEN_X86_FEATURE_PQE = bit(5, 15);
    XEN_X86_FEATURE_AVX512F = bit(5, 16);
    XEN_X86_FEATURE_AVX512DQ = bit(5, 17);
    XEN_X86_FEATURE_RDSEED = bit(5, 18);
    XEN_X86_FEATURE_ADX = bit(5, 19);
    XEN_X86_FEATURE_SMAP = bit(5, 20);
    XEN_X86_FEATURE_AVX512_IFMA = bit(5, 21);
    XEN_X86_FEATURE_CLFLUSHOPT = bit(5, 23);
    XEN_X86_FEATURE_CLWB = bit(5, 24);
    XEN_X86_FEATURE_PROC_TRACE = bit(5, 25);
    XEN_X86_FEATURE_AVX512PF = bit(5, 26);
    XEN_X86_FEATURE_AVX512ER = bit(5, 27);
    XEN_X86_FEATURE_AVX512CD = bit(5, 28);
    XEN_X86_FEATURE_SHA = bit(5, 29);
    XEN_X86_FEATURE_AVX512BW = bit(5, 30);
    XEN_X86_FEATURE_AVX512VL = bit(5, 31);
}

numbers! {
    /// A feature in word 6 (CPUID 7.ECX): its bit in the whole set.
    u32, FEATURES_6;
    XEN_X86_FEATURE_PREFETCHWT1 = bit(6, 0);
    XEN_X86_FEATURE_AVX512_VBMI = bit(6, 1);
    XEN_X86_FEATURE_UMIP = bit(6, 2);
    XEN_X86_FEATURE_PKU = bit(6, 3);
    XEN_X86_FEATURE_OSPKE = bit(6, 4);
    XEN_X86_FEATURE_WAITPKG = bit(6, 5);
    XEN_X86_FEATURE_AVX512_VBMI2 = bit(6, 6);
    XEN_X86_FEATURE_CET_SS = bit(6, 7);
    XEN_X86_FEATURE_GFNI = bit(6, 8);
    XEN_X86_FEATURE_VAES = bit(6, 9);
    XEN_X86_FEATURE_VPCLMULQDQ = bit(6, 10);
    XEN_X86_FEATURE_AVX512_VNNI = bit(6, 11);
    XEN_X86_FEATURE_AVX512_BITALG = bit(6, 12);
    XEN_X86_FEATURE_TME = bit(6, 13);
    XEN_X86_FEATURE_AVX512_VPOPCNTDQ = bit(6, 14);
    XEN_X86_FEATURE_LA57 = bit(6, 16);
    XEN_X86_FEATURE_RDPID = bit(6, 22);
    XEN_X86_FEATURE_BLD = bit(6, 24);
    XEN_X86_FEATURE_CLDEMOTE = bit(6, 25);
    XEN_X86_FEATURE_MOVDIRI = bit(6, 27);
    XEN_X86_FEATURE_MOVDIR64B = bit(6, 28);
    XEN_X86_FEATURE_ENQCMD = bit(6, 29);
    XEN_X86_FEATURE_SGX_LC = bit(6, 30);
    XEN_X86_FEATURE_PKS = bit(6, 31);
}

numbers! {
    /// A feature in word 7 (CPUID 0x80000007.EDX): its bit in the whole set.
    u32, FEATURES_7;
    XEN_X86_FEATURE_HW_PSTATE = bit(7, 7);
    XEN_X86_FEATURE_ITSC = bit(7, 8);
    XEN_X86_FEATURE_CPB = bit(7, 9);
    XEN_X86_FEATURE_EFRO = bit(7, 10);
}

numbers! {
    /// A feature in word 8 (CPUID 0x80000008.EBX): its bit in the whole set.
    u32, FEATURES_8;
    XEN_X86_FEATURE_CLZERO = bit(8, 0);
    XEN_X86_FEATURE_RSTR_FP_ERR_PTRS = bit(8, 2);
    XEN_X86_FEATURE_WBNOINVD = bit(8, 9);
    XEN_X86_FEATURE_IBPB = bit(8, 12);
    XEN_X86_FEATURE_IBRS = bit(8, 14);
    XEN_X86_FEATURE_AMD_STIBP = bit(8, 15);
    XEN_X86_FEATURE_IBRS_ALWAYS = bit(8, 16);
    XEN_X86_FEATURE_STIBP_ALWAYS = bit(8, 17);
    XEN_X86_FEATURE_IBRS_FAST = bit(8, 18);
    XEN_X86_FEATURE_IBRS_SAME_MODE = bit(8, 19);
    XEN_X86_FEATURE_NO_LMSL = bit(8, 20);
    XEN_X86_FEATURE_AMD_PPIN = bit(8, 23);
    XEN_X86_FEATURE_AMD_SSBD = bit(8, 24);
    XEN_X86_FEATURE_VIRT_SSBD = bit(8, 25);
    XEN_X86_FEATURE_SSB_NO = bit(8, 26);
    XEN_X86_FEATURE_PSFD = bit(8, 28);
    XEN_X86_FEATURE_BTC_NO = bit(8, 29);
    XEN_X86_FEATURE_IBPB_RET = bit(8, 30);
}

numbers! {
    /// A feature in word 9 (CPUID 7.EDX): its bit in the whole set.
    u32, FEATURES_9;
    XEN_X86_FEATURE_SGX_KEYS = bit(9, 1);
    XEN_X86_FEATURE_AVX512_4VNNIW = bit(9, 2);
    XEN_X86_FEATURE_AVX512_4FMAPS = bit(9, 3);
    XEN_X86_FEATURE_FSRM = bit(9, 4);
    XEN_X86_FEATURE_UINTR = bit(9, 5);
    XEN_X86_FEATURE_AVX512_VP2INTERSECT = bit(9, 8);
    XEN_X86_FEATURE_SRBDS_CTRL = bit(9, 9);
    XEN_X86_FEATURE_MD_CLEAR = bit(9, 10);
    XEN_X86_FEATURE_RTM_ALWAYS_ABORT = bit(9, 11);
    XEN_X86_FEATURE_TSX_FORCE_ABORT = bit(9, 13);
    XEN_X86_FEATURE_SERIALIZE = bit(9, 14);
    XEN_X86_FEATURE_HYBRID = bit(9, 15);
    XEN_X86_FEATURE_TSXLDTRK = bit(9, 16);
    XEN_X86_FEATURE_PCONFIG = bit(9, 18);
    XEN_X86_FEATURE_ARCH_LBR = bit(9, 19);
    XEN_X86_FEATURE_CET_IBT = bit(9, 20);
    XEN_X86_FEATURE_AMX_BF16 = bit(9, 22);
    XEN_X86_FEATURE_AVX512_FP16 = bit(9, 23);
    XEN_X86_FEATURE_AMX_TILE = bit(9, 24);
    XEN_X86_FEATURE_AMX_INT8 = bit(9, 25);
    XEN_X86_FEATURE_IBRSB = bit(9, 26);
    XEN_X86_FEATURE_STIBP = bit(9, 27);
    XEN_X86_FEATURE_L1D_FLUSH = bit(9, 28);
    XEN_X86_FEATURE_ARCH_CAPS = bit(9, 29);
    XEN_X86_FEATURE_CORE_CAPS = bit(9, 30);
    XEN_X86_FEATURE_SSBD = bit(9, 31);
}

numbers! {
    /// A feature in word 10 (CPUID 7 subleaf 1 EAX): its bit in the whole set.
    u32, FEATURES_10;
    XEN_X86_FEATURE_SHA512 = bit(10, 0);
    XEN_X86_FEATURE_SM3 = bit(10, 1);
    XEN_X86_FEATURE_SM4 = bit(10, 2);
    XEN_X86_FEATURE_AVX_VNNI = bit(10, 4);
    XEN_X86_FEATURE_AVX512_BF16 = bit(10, 5);
    XEN_X86_FEATURE_CMPCCXADD = bit(10, 7);
    XEN_X86_FEATURE_FZRM = bit(10, 10);
    XEN_X86_FEATURE_FSRS = bit(10, 11);
    XEN_X86_FEATURE_FSRCS = bit(10, 12);
    XEN_X86_FEATURE_FRED = bit(10, 17);
    XEN_X86_FEATURE_WRMSRNS = bit(10, 19);
    XEN_X86_FEATURE_AMX_FP16 = bit(10, 21);
    XEN_X86_FEATURE_AVX_IFMA = bit(10, 23);
}

numbers! {
    /// A feature in word 11 (CPUID 0x80000021.EAX): its bit in the whole set.
    u32, FEATURES_11;
    XEN_X86_FEATURE_NO_NEST_BP = bit(11, 0);
    XEN_X86_FEATURE_FS_GS_NS = bit(11, 1);
    XEN_X86_FEATURE_LFENCE_DISPATCH = bit(11, 2);
    XEN_X86_FEATURE_VERW_CLEAR = bit(11, 5);
    XEN_X86_FEATURE_NSCB = bit(11, 6);
    XEN_X86_FEATURE_AUTO_IBRS = bit(11, 8);
    XEN_X86_FEATURE_AMD_FSRS = bit(11, 10);
    XEN_X86_FEATURE_AMD_FSRC = bit(11, 11);
    XEN_X86_FEATURE_CPUID_USER_DIS = bit(11, 17);
    XEN_X86_FEATURE_EPSF = bit(11, 18);
    XEN_X86_FEATURE_FSRSC = bit(11, 19);
    XEN_X86_FEATURE_AMD_PREFETCHI = bit(11, 20);
    XEN_X86_FEATURE_SBPB = bit(11, 27);
    XEN_X86_FEATURE_IBPB_BRTYPE = bit(11, 28);
    XEN_X86_FEATURE_SRSO_NO = bit(11, 29);
    XEN_X86_FEATURE_SRSO_US_NO = bit(11, 30);
    XEN_X86_FEATURE_SRSO_MSR_FIX = bit(11, 31);
}

numbers! {
    /// A feature in word 12 (CPUID 7 subleaf 1 EBX): its bit in the whole set.
    u32, FEATURES_12;
    XEN_X86_FEATURE_INTEL_PPIN = bit(12, 0);
}

numbers! {
    /// A feature in word 13 (CPUID 7 subleaf 2 EDX): its bit in the whole set.
    u32, FEATURES_13;
    XEN_X86_FEATURE_INTEL_PSFD = bit(13, 0);
    XEN_X86_FEATURE_IPRED_CTRL = bit(13, 1);
    XEN_X86_FEATURE_RRSBA_CTRL = bit(13, 2);
    XEN_X86_FEATURE_DDP_CTRL = bit(13, 3);
    XEN_X86_FEATURE_BHI_CTRL = bit(13, 4);
    XEN_X86_FEATURE_MCDT_NO = bit(13, 5);
}

numbers! {
    /// A feature in word 15 (CPUID 7 subleaf 1 EDX): its bit in the whole set.
    u32, FEATURES_15;
    XEN_X86_FEATURE_AVX_VNNI_INT8 = bit(15, 4);
    XEN_X86_FEATURE_AVX_NE_CONVERT = bit(15, 5);
    XEN_X86_FEATURE_AMX_COMPLEX = bit(15, 8);
    XEN_X86_FEATURE_AVX_VNNI_INT16 = bit(15, 10);
    XEN_X86_FEATURE_PREFETCHI = bit(15, 14);
    XEN_X86_FEATURE_CET_SSS = bit(15, 18);
}

numbers! {
    /// A feature in word 16 (MSR ARCH_CAPS low): its bit in the whole set.
    u32, FEATURES_16;
    XEN_X86_FEATURE_RDCL_NO = bit(16, 0);
    XEN_X86_FEATURE_EIBRS = bit(16, 1);
    XEN_X86_FEATURE_RSBA = bit(16, 2);
    XEN_X86_FEATURE_SKIP_L1DFL = bit(16, 3);
    XEN_X86_FEATURE_INTEL_SSB_NO = bit(16, 4);
    XEN_X86_FEATURE_MDS_NO = bit(16, 5);
    XEN_X86_FEATURE_IF_PSCHANGE_MC_NO = bit(16, 6);
    XEN_X86_FEATURE_TSX_CTRL = bit(16, 7);
    XEN_X86_FEATURE_TAA_NO = bit(16, 8);
    XEN_X86_FEATURE_MCU_CTRL = bit(16, 9);
    XEN_X86_FEATURE_MISC_PKG_CTRL = bit(16, 10);
    XEN_X86_FEATURE_ENERGY_FILTERING = bit(16, 11);
    XEN_X86_FEATURE_DOITM = bit(16, 12);
    XEN_X86_FEATURE_SBDR_SSDP_NO = bit(16, 13);
    XEN_X86_FEATURE_FBSDP_NO = bit(16, 14);
    XEN_X86_FEATURE_PSDP_NO = bit(16, 15);
    XEN_X86_FEATURE_FB_CLEAR = bit(16, 17);
    XEN_X86_FEATURE_FB_CLEAR_CTRL = bit(16, 18);
    XEN_X86_FEATURE_RRSBA = bit(16, 19);
    XEN_X86_FEATURE_BHI_NO = bit(16, 20);
    XEN_X86_FEATURE_XAPIC_STATUS = bit(16, 21);
    XEN_X86_FEATURE_OVRCLK_STATUS = bit(16, 23);
    XEN_X86_FEATURE_PBRSB_NO = bit(16, 24);
    XEN_X86_FEATURE_GDS_CTRL = bit(16, 25);
    XEN_X86_FEATURE_GDS_NO = bit(16, 26);
    XEN_X86_FEATURE_RFDS_NO = bit(16, 27);
    XEN_X86_FEATURE_RFDS_CLEAR = bit(16, 28);
    XEN_X86_FEATURE_PB_OPT_CTRL = bit(16, 32);
    XEN_X86_FEATURE_ITS_NO = bit(16, 62);
}

numbers! {
    /// A feature in word 18 (CPUID 0x80000021.ECX): its bit in the whole set.
    u32, FEATURES_18;
    XEN_X86_FEATURE_TSA_SQ_NO = bit(18, 1);
    XEN_X86_FEATURE_TSA_L1_NO = bit(18, 2);
}

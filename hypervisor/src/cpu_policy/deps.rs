//! Which features make no sense without which other.
//!
//! An instruction set that works on registers needs the set that brought the registers; a bit in
//! a register needs the register. The vendors' manuals are the source; where a feature was built
//! on another without saying so, processors that exist decide.

use xen_abi::arch_x86::*;

/// A feature, and those that need it. MSR 0x10a's bits, which all need the register, are not
/// listed.
pub const NEEDED_BY: &[(u32, &[u32])] = &[
    (
        XEN_X86_FEATURE_FPU,
        &[XEN_X86_FEATURE_MMX, XEN_X86_FEATURE_RSTR_FP_ERR_PTRS],
    ),
    (XEN_X86_FEATURE_PSE, &[XEN_X86_FEATURE_PSE36]),
    (
        XEN_X86_FEATURE_PAE,
        &[XEN_X86_FEATURE_LM, XEN_X86_FEATURE_NX],
    ),
    (
        XEN_X86_FEATURE_TSC,
        &[
            XEN_X86_FEATURE_TSC_DEADLINE,
            XEN_X86_FEATURE_RDTSCP,
            XEN_X86_FEATURE_TSC_ADJUST,
            XEN_X86_FEATURE_ITSC,
        ],
    ),
    (
        XEN_X86_FEATURE_APIC,
        &[
            XEN_X86_FEATURE_X2APIC,
            XEN_X86_FEATURE_TSC_DEADLINE,
            XEN_X86_FEATURE_EXTAPIC,
        ],
    ),
    (
        XEN_X86_FEATURE_MMX,
        &[XEN_X86_FEATURE_MMXEXT, XEN_X86_FEATURE_3DNOW],
    ),
    (XEN_X86_FEATURE_3DNOW, &[XEN_X86_FEATURE_3DNOWEXT]),
    (
        XEN_X86_FEATURE_FXSR,
        &[XEN_X86_FEATURE_FFXSR, XEN_X86_FEATURE_SSE],
    ),
    (
        XEN_X86_FEATURE_SSE,
        &[XEN_X86_FEATURE_SSE2, XEN_X86_FEATURE_MISALIGNSSE],
    ),
    (
        XEN_X86_FEATURE_SSE2,
        &[
            XEN_X86_FEATURE_SSE3,
            XEN_X86_FEATURE_LM,
            XEN_X86_FEATURE_AESNI,
            XEN_X86_FEATURE_PCLMULQDQ,
            XEN_X86_FEATURE_SHA,
            XEN_X86_FEATURE_GFNI,
        ],
    ),
    (
        XEN_X86_FEATURE_SSE3,
        &[XEN_X86_FEATURE_SSSE3, XEN_X86_FEATURE_SSE4A],
    ),
    (XEN_X86_FEATURE_SSSE3, &[XEN_X86_FEATURE_SSE4_1]),
    (XEN_X86_FEATURE_SSE4_1, &[XEN_X86_FEATURE_SSE4_2]),
    (
        XEN_X86_FEATURE_LM,
        &[
            XEN_X86_FEATURE_CX16,
            XEN_X86_FEATURE_PCID,
            XEN_X86_FEATURE_LAHF_LM,
            XEN_X86_FEATURE_PAGE1GB,
            XEN_X86_FEATURE_PKU,
            XEN_X86_FEATURE_NO_LMSL,
        ],
    ),
    (
        XEN_X86_FEATURE_XSAVE,
        &[
            XEN_X86_FEATURE_XSAVEOPT,
            XEN_X86_FEATURE_XSAVEC,
            XEN_X86_FEATURE_XGETBV1,
            XEN_X86_FEATURE_XSAVES,
            XEN_X86_FEATURE_AVX,
            XEN_X86_FEATURE_MPX,
            XEN_X86_FEATURE_PKU,
            XEN_X86_FEATURE_LWP,
        ],
    ),
    (
        XEN_X86_FEATURE_AVX,
        &[
            XEN_X86_FEATURE_FMA,
            XEN_X86_FEATURE_FMA4,
            XEN_X86_FEATURE_F16C,
            XEN_X86_FEATURE_AVX2,
            XEN_X86_FEATURE_XOP,
        ],
    ),
    (
        XEN_X86_FEATURE_AVX2,
        &[
            XEN_X86_FEATURE_AVX512F,
            XEN_X86_FEATURE_VAES,
            XEN_X86_FEATURE_VPCLMULQDQ,
            XEN_X86_FEATURE_AVX_VNNI,
            XEN_X86_FEATURE_AVX_IFMA,
            XEN_X86_FEATURE_AVX_VNNI_INT8,
            XEN_X86_FEATURE_AVX_VNNI_INT16,
            XEN_X86_FEATURE_AVX_NE_CONVERT,
            XEN_X86_FEATURE_SHA512,
            XEN_X86_FEATURE_SM4,
        ],
    ),
    (XEN_X86_FEATURE_PCLMULQDQ, &[XEN_X86_FEATURE_VPCLMULQDQ]),
    (XEN_X86_FEATURE_AESNI, &[XEN_X86_FEATURE_VAES]),
    (
        XEN_X86_FEATURE_AVX512F,
        &[
            XEN_X86_FEATURE_AVX512DQ,
            XEN_X86_FEATURE_AVX512_IFMA,
            XEN_X86_FEATURE_AVX512PF,
            XEN_X86_FEATURE_AVX512ER,
            XEN_X86_FEATURE_AVX512CD,
            XEN_X86_FEATURE_AVX512BW,
            XEN_X86_FEATURE_AVX512VL,
            XEN_X86_FEATURE_AVX512_4VNNIW,
            XEN_X86_FEATURE_AVX512_4FMAPS,
            XEN_X86_FEATURE_AVX512_VNNI,
            XEN_X86_FEATURE_AVX512_VPOPCNTDQ,
            XEN_X86_FEATURE_AVX512_VP2INTERSECT,
        ],
    ),
    (
        XEN_X86_FEATURE_AVX512BW,
        &[
            XEN_X86_FEATURE_AVX512_VBMI,
            XEN_X86_FEATURE_AVX512_VBMI2,
            XEN_X86_FEATURE_AVX512_BITALG,
            XEN_X86_FEATURE_AVX512_BF16,
            XEN_X86_FEATURE_AVX512_FP16,
        ],
    ),
    (XEN_X86_FEATURE_NX, &[XEN_X86_FEATURE_SMAP]),
    (
        XEN_X86_FEATURE_IBRSB,
        &[
            XEN_X86_FEATURE_STIBP,
            XEN_X86_FEATURE_SSBD,
            XEN_X86_FEATURE_INTEL_PSFD,
            XEN_X86_FEATURE_EIBRS,
            XEN_X86_FEATURE_IPRED_CTRL,
            XEN_X86_FEATURE_RRSBA_CTRL,
            XEN_X86_FEATURE_BHI_CTRL,
        ],
    ),
    (
        XEN_X86_FEATURE_IBRS,
        &[
            XEN_X86_FEATURE_AMD_STIBP,
            XEN_X86_FEATURE_AMD_SSBD,
            XEN_X86_FEATURE_PSFD,
            XEN_X86_FEATURE_AUTO_IBRS,
            XEN_X86_FEATURE_IBRS_ALWAYS,
            XEN_X86_FEATURE_IBRS_FAST,
            XEN_X86_FEATURE_IBRS_SAME_MODE,
        ],
    ),
    (XEN_X86_FEATURE_AMD_STIBP, &[XEN_X86_FEATURE_STIBP_ALWAYS]),
    (
        XEN_X86_FEATURE_IBPB,
        &[
            XEN_X86_FEATURE_IBPB_RET,
            XEN_X86_FEATURE_SBPB,
            XEN_X86_FEATURE_IBPB_BRTYPE,
        ],
    ),
    (XEN_X86_FEATURE_RTM, &[XEN_X86_FEATURE_TSXLDTRK]),
    (XEN_X86_FEATURE_EIBRS, &[XEN_X86_FEATURE_RRSBA]),
];

//! What CPUID and IA32_ARCH_CAPABILITIES say about speculation (Intel SDM volume 4; AMD APM
//! volume 3, appendix E).

use machine::CpuApi;

/// Who made the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vendor {
    /// Intel.
    Intel,
    /// AMD, and Hygon, whose processors are AMD's design.
    Amd,
    /// Others.
    #[default]
    Other,
}

const ARCH_CAPABILITIES: u32 = 0x10a;

/// Bits of IA32_ARCH_CAPABILITIES.
#[allow(missing_docs)]
pub mod caps {
    pub const RDCL_NO: u64 = 1 << 0;
    pub const IBRS_ALL: u64 = 1 << 1;
    pub const RSBA: u64 = 1 << 2;
    pub const MDS_NO: u64 = 1 << 5;
    pub const TAA_NO: u64 = 1 << 8;
    pub const FB_CLEAR: u64 = 1 << 17;
    pub const RRSBA: u64 = 1 << 19;
    pub const RFDS_NO: u64 = 1 << 27;
    pub const RFDS_CLEAR: u64 = 1 << 28;
}

/// The facts. Names are CPUID's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Facts {
    /// The hypervisor was built with thunks for its indirect branches.
    pub thunks: bool,
    pub vendor: Vendor,
    pub family: u32,
    pub model: u32,
    pub smep: bool,
    pub rtm: bool,
    /// SPEC_CTRL.IBRS and PRED_CMD.IBPB.
    pub ibrsb: bool,
    /// SPEC_CTRL.IBRS on AMD.
    pub ibrs: bool,
    /// PRED_CMD.IBPB on AMD.
    pub ibpb: bool,
    pub stibp: bool,
    /// STIBP may and should stay on.
    pub stibp_always: bool,
    pub ssbd: bool,
    pub md_clear: bool,
    /// SPEC_CTRL.BHI_DIS_S.
    pub bhi_ctrl: bool,
    pub auto_ibrs: bool,
    /// LFENCE is dispatch-serialising.
    pub lfence_dispatch: bool,
    /// VERW clears what TSA leaks.
    pub verw_clear: bool,
    pub tsa_no: bool,
    /// IA32_ARCH_CAPABILITIES; zero where there is none.
    pub arch_caps: u64,
}

impl Facts {
    /// Reads them from the running processor.
    pub fn read(cpu: &impl CpuApi) -> Facts {
        let leaf = |leaf: u32, sub: u32| {
            let there = cpu.cpuid(leaf & 0x8000_0000, 0)[0] >= leaf;
            if there { cpu.cpuid(leaf, sub) } else { [0; 4] }
        };
        let [signature, ..] = leaf(1, 0);
        let [max7, b7, _, d7] = leaf(7, 0);
        let [.., d72] = if max7 >= 2 { leaf(7, 2) } else { [0; 4] };
        let [_, b8, ..] = leaf(0x8000_0008, 0);
        let [a21, _, c21, _] = leaf(0x8000_0021, 0);
        let has = |word: u32, bit: u32| word >> bit & 1 != 0;
        let family = signature >> 8 & 0xf;
        let extended = if family == 0xf {
            signature >> 20 & 0xff
        } else {
            0
        };
        let caps = has(d7, 29).then(|| cpu.rdmsr(ARCH_CAPABILITIES)).flatten();
        Facts {
            thunks: machine::boot::RETPOLINES,
            vendor: vendor(cpu.cpuid(0, 0)),
            family: family + extended,
            model: signature >> 4 & 0xf | signature >> 12 & 0xf0,
            smep: has(b7, 7),
            rtm: has(b7, 11),
            ibrsb: has(d7, 26),
            ibrs: has(b8, 14),
            ibpb: has(b8, 12),
            stibp: has(d7, 27) || has(b8, 15),
            stibp_always: has(b8, 17),
            ssbd: has(d7, 31) || has(b8, 24),
            md_clear: has(d7, 10),
            bhi_ctrl: has(d72, 4),
            auto_ibrs: has(a21, 8),
            lfence_dispatch: has(a21, 2),
            verw_clear: has(a21, 5),
            tsa_no: has(c21, 1) && has(c21, 2),
            arch_caps: caps.unwrap_or(0),
        }
    }

    /// Whether a bit of IA32_ARCH_CAPABILITIES is set.
    pub fn cap(&self, bit: u64) -> bool {
        self.arch_caps & bit != 0
    }
}

fn vendor([_, b, c, d]: [u32; 4]) -> Vendor {
    let mut name = [0; 12];
    for (to, from) in name.chunks_exact_mut(4).zip([b, d, c]) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    match &name {
        b"GenuineIntel" => Vendor::Intel,
        b"AuthenticAMD" | b"HygonGenuine" => Vendor::Amd,
        _ => Vendor::Other,
    }
}

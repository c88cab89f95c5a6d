//! What a PV guest finds at boot. `xen.h`.

use crate::forms::{numbers, payload, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// A flag of [`StartInfo::flags`].
    u32;
    SIF_PRIVILEGED = 1;
    SIF_INITDOMAIN = 1 << 1;
    SIF_MULTIBOOT_MOD = 1 << 2;
    SIF_MOD_START_PFN = 1 << 3;
    SIF_VIRT_P2M_4TOOLS = 1 << 4;
    SIF_PM_MASK = 0xff00;
}

numbers! {
    /// Size in bytes of [`StartInfo::cmd_line`].
    usize;
    MAX_GUEST_CMDLINE = 1024;
}

numbers! {
    /// A kind of screen in [`Dom0VgaConsoleInfo::video_type`].
    u8;
    XEN_VGATYPE_TEXT_MODE_3 = 0x3;
    XEN_VGATYPE_VESA_LFB = 0x23;
    XEN_VGATYPE_EFI_LFB = 0x70;
}

/// The `domU` arm of [`StartInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct StartInfoDomU {
    pub mfn: u64,
    pub evtchn: u32,
    pub _pad0: u32,
}

/// The `dom0` arm of [`StartInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct StartInfoDom0 {
    pub info_off: u32,
    pub info_size: u32,
}

/// The page that RSI points to when a PV guest starts.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct StartInfo {
    pub magic: [u8; 32],
    pub nr_pages: u64,
    pub shared_info: u64,
    pub flags: u32,
    pub _pad0: u32,
    pub store_mfn: u64,
    pub store_evtchn: u32,
    pub _pad1: u32,
    /// Union: `domU`: [`StartInfoDomU`], `dom0`: [`StartInfoDom0`].
    pub console: [u64; 2],
    pub pt_base: u64,
    pub nr_pt_frames: u64,
    pub mfn_list: u64,
    pub mod_start: u64,
    pub mod_len: u64,
    pub cmd_line: [i8; 1024],
    pub first_p2m_pfn: u64,
    pub nr_p2m_frames: u64,
}

/// A module in `mod_start`, if [`SIF_MULTIBOOT_MOD`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MultibootModList {
    pub mod_start: u32,
    pub mod_end: u32,
    pub cmdline: u32,
    pub pad: u32,
}

/// The `text_mode_3` arm of [`Dom0VgaConsoleInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Dom0VgaConsoleInfoTextMode3 {
    pub font_height: u16,
    pub cursor_x: u16,
    pub cursor_y: u16,
    pub rows: u16,
    pub columns: u16,
}

/// The `vesa_lfb` arm of [`Dom0VgaConsoleInfo`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Dom0VgaConsoleInfoVesaLfb {
    pub width: u16,
    pub height: u16,
    pub bytes_per_line: u16,
    pub bits_per_pixel: u16,
    pub lfb_base: u32,
    pub lfb_size: u32,
    pub red_pos: u8,
    pub red_size: u8,
    pub green_pos: u8,
    pub green_size: u8,
    pub blue_pos: u8,
    pub blue_size: u8,
    pub rsvd_pos: u8,
    pub rsvd_size: u8,
    pub gbl_caps: u32,
    pub mode_attrs: u16,
    pub pad: u16,
    pub ext_lfb_base: u32,
}

/// The screen that dom0 takes over.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Dom0VgaConsoleInfo {
    pub video_type: u8,
    pub _pad0: [u8; 3],
    /// Union: `text_mode_3`: [`Dom0VgaConsoleInfoTextMode3`], `vesa_lfb`: [`Dom0VgaConsoleInfoVesaLfb`].
    pub u: [u32; 9],
}

payload! {
    StartInfo.console;
    Dom0VgaConsoleInfo.u;
}

zeroed_default!(StartInfo);

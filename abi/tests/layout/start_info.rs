//! Layouts of `start_info`, as a C compiler lays out the public headers.

use xen_abi::start_info::*;

layouts! {
    StartInfoDomU: 16 { mfn: 0, evtchn: 8 }
    StartInfoDom0: 8 { info_off: 0, info_size: 4 }
    StartInfo: 1168 { magic: 0, nr_pages: 32, shared_info: 40, flags: 48, store_mfn: 56, store_evtchn: 64, console: 72, pt_base: 88, nr_pt_frames: 96, mfn_list: 104, mod_start: 112, mod_len: 120, cmd_line: 128, first_p2m_pfn: 1152, nr_p2m_frames: 1160 }
    MultibootModList: 16 { mod_start: 0, mod_end: 4, cmdline: 8, pad: 12 }
    Dom0VgaConsoleInfoTextMode3: 10 { font_height: 0, cursor_x: 2, cursor_y: 4, rows: 6, columns: 8 }
    Dom0VgaConsoleInfoVesaLfb: 36 { width: 0, height: 2, bytes_per_line: 4, bits_per_pixel: 6, lfb_base: 8, lfb_size: 12, red_pos: 16, red_size: 17, green_pos: 18, green_size: 19, blue_pos: 20, blue_size: 21, rsvd_pos: 22, rsvd_size: 23, gbl_caps: 24, mode_attrs: 28, pad: 30, ext_lfb_base: 32 }
    Dom0VgaConsoleInfo: 40 { video_type: 0, u: 4 }
}

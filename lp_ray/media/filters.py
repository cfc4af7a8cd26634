"""The ffmpeg filters from decoded pictures to RGB: deinterlacing, and conversion of HDR and wide gamuts to BT.709."""

from __future__ import annotations

from lp_ray.media.banner import UNKNOWN, Colours
from lp_ray.media.probe import VideoInfo

SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"
"""Options of the scale filter wherever pictures are converted from YUV."""

HDR_TRANSFERS = ("arib-std-b67", "smpte2084")
"""HLG and PQ (Rec. ITU-R BT.2100), in ffmpeg's words."""
WIDE_PRIMARIES = ("bt2020", "smpte431", "smpte432")
"""BT.2020, DCI P3 and Display P3. Shown as if they were BT.709, their colours would be dull."""

# Rec. ITU-R BT.2408: diffuse white of HDR lies at 203 cd/m2, which becomes the white of SDR; HLG's nominal peak, and
# that of most PQ films, is 1000 cd/m2. All below 80 % of white keeps its light; from there to the peak it is rolled
# off, the colour kept (the largest of R, G and B is mapped, the others follow).
_WHITE_NITS = 203
_PEAK = 1000 / _WHITE_NITS
_KNEE = 0.8


def chain(info: VideoInfo, size: tuple[int, int]) -> str:
    """Return the filters from decoded pictures to RGB of width x height `size`."""
    steps = []
    if info.deinterlace:
        steps.append(f"bwdif=mode=send_frame:parity=auto:deint={info.deinterlace}")
    steps += _to_bt709(info.colours, info.has_alpha, odd=bool(info.coded_width % 2 or info.coded_height % 2))
    # Ask for the format here, not in the encoder: else a rebuilt graph converts with its own scaler.
    steps += [f"scale={size[0]}:{size[1]}:flags={SCALER}", f"format={pixel_format(info)}"]
    return ",".join(steps)


def pixel_format(info: VideoInfo) -> str:
    """Return ffmpeg's name of the memory layout of decoded pixels."""
    return "rgba" if info.has_alpha else "rgb24"


def is_hdr(colours: Colours) -> bool:
    """Return whether a stream has a high dynamic range."""
    return colours.transfer in HDR_TRANSFERS


def _to_bt709(colours: Colours, alpha: bool, odd: bool) -> list[str]:
    hdr = is_hdr(colours)
    if not hdr and colours.primaries not in WIDE_PRIMARIES:
        return []
    steps = []
    if odd:  # zscale takes no half chroma samples
        steps.append("format=yuva444p16" if alpha else "format=yuv444p16")
    said = _completed(colours, hdr)
    if said:
        steps.append("setparams=" + ":".join(said))
    planes = "gbrap" if alpha else "gbrp"
    if not hdr:
        return [*steps, "zscale=p=bt709:m=gbr:r=full", f"format={planes}"]
    return [
        *steps,
        f"zscale=p=bt709:t=linear:npl={_WHITE_NITS}",
        f"format={planes}f32le",
        f"tonemap=tonemap=mobius:param={_KNEE}:peak={_PEAK:.4f}:desat=0",
        "zscale=t=bt709:m=gbr:r=full",
        f"format={planes}",
    ]


def _completed(colours: Colours, hdr: bool) -> list[str]:
    """Return options of setparams for colour properties that the stream does not state."""
    usual = {
        "colorspace": (colours.matrix, "bt2020nc" if hdr or colours.primaries == "bt2020" else "bt709"),
        "color_primaries": (colours.primaries, "bt2020"),
        "color_trc": (colours.transfer, "bt709"),
    }
    return [f"{name}={default}" for name, (stated, default) in usual.items() if stated in (UNKNOWN, "reserved")]

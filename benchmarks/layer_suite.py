"""Transposed convolutions of known networks, in 1-D, 2-D and 3-D: the public suite of layers.

Shapes are those of the papers or of the repositories that people run, at the batch their users
have: 64 where samples are drawn, 1 to 16 where one picture, scan or utterance is worked on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kernels.geometry import Geometry

Size = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One transposed convolution in PyTorch's terms, with bias; `source` names paper or code."""

    name: str
    source: str
    batch: int
    channels: tuple[int, int]
    size: Size
    kernel: Size
    stride: Size
    padding: Size
    output_padding: Size

    @property
    def geometry(self) -> Geometry:
        """Where inputs, taps and outputs meet."""
        return Geometry.transposed(
            self.size, self.kernel, self.stride, self.padding, self.output_padding
        )

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.size)

    @property
    def flop_per_sample(self) -> int:
        """Useful operations of one sample: taps inside the map, a multiply-add as two."""
        return 2 * self.channels[0] * self.channels[1] * self.geometry.useful_products()


def _network(source: str, batch: int, *layers: Layer) -> tuple[Layer, ...]:
    return tuple(replace(layer, source=source, batch=batch) for layer in layers)


def _layer(
    name: str,
    channels: tuple[int, int],
    size: Size | int,
    kernel: Size | int,
    stride: Size | int = 1,
    padding: Size | int = 0,
    output_padding: Size | int = 0,
    *,
    rank: int = 2,
) -> Layer:
    """A layer without its network; whole numbers stand for all axes."""

    def axes(value: Size | int) -> Size:
        return (value,) * rank if isinstance(value, int) else value

    return Layer(
        name,
        "",
        1,
        channels,
        axes(size),
        axes(kernel),
        axes(stride),
        axes(padding),
        axes(output_padding),
    )


_DCGAN = _network(
    "DCGAN, pytorch/examples dcgan/main.py (Radford et al. 2016)",
    64,
    _layer("dcgan-1", (100, 512), 1, 4),
    _layer("dcgan-2", (512, 256), 4, 4, 2, 1),
    _layer("dcgan-3", (256, 128), 8, 4, 2, 1),
    _layer("dcgan-4", (128, 64), 16, 4, 2, 1),
    _layer("dcgan-5", (64, 3), 32, 4, 2, 1),
)
_DCGAN_5X5 = _network(
    "DCGAN with 5x5 kernels, carpedm20/DCGAN-tensorflow (Radford et al. 2016)",
    64,
    _layer("dcgan-5x5-1", (1024, 512), 4, 5, 2, 2, 1),
    _layer("dcgan-5x5-2", (512, 256), 8, 5, 2, 2, 1),
    _layer("dcgan-5x5-3", (256, 128), 16, 5, 2, 2, 1),
    _layer("dcgan-5x5-4", (128, 3), 32, 5, 2, 2, 1),
)
_PIX2PIX = _network(
    "pix2pix unet_256, junyanz/pytorch-CycleGAN-and-pix2pix (Isola et al. 2017)",
    1,
    _layer("pix2pix-innermost", (512, 512), 1, 4, 2, 1),
    _layer("pix2pix-16", (1024, 512), 8, 4, 2, 1),
    _layer("pix2pix-32", (1024, 256), 16, 4, 2, 1),
    _layer("pix2pix-128", (256, 64), 64, 4, 2, 1),
    _layer("pix2pix-256", (128, 3), 128, 4, 2, 1),
)
_CYCLEGAN = _network(
    "CycleGAN resnet_9blocks, junyanz/pytorch-CycleGAN-and-pix2pix (Zhu et al. 2017)",
    1,
    _layer("cyclegan-128", (256, 128), 64, 3, 2, 1, 1),
    _layer("cyclegan-256", (128, 64), 128, 3, 2, 1, 1),
)
_STYLEGAN = _network(
    "StyleGAN and Progressive GAN fused upscale2d_conv2d, NVlabs/stylegan "
    "(Karras et al. 2018, 2019)",
    8,
    _layer("stylegan-16", (512, 512), 8, 4, 2, 1),
    _layer("stylegan-128", (256, 128), 64, 4, 2, 1),
    _layer("stylegan-256", (128, 64), 128, 4, 2, 1),
)
_STYLEGAN2 = _network(
    "StyleGAN2 conv2d_resample before its filter, NVlabs/stylegan3 (Karras et al. 2020)",
    8,
    _layer("stylegan2-32", (512, 512), 16, 3, 2),
)
_UNET = _network(
    "U-Net 2x2 up-convolution, milesial/Pytorch-UNet (Ronneberger et al. 2015)",
    1,
    _layer("unet-1", (1024, 512), 32, 2, 2),
    _layer("unet-2", (512, 256), 64, 2, 2),
    _layer("unet-4", (128, 64), 256, 2, 2),
)
_FSRCNN = _network(
    "FSRCNN(56,12,4) deconvolution, yjn870/FSRCNN-pytorch (Dong et al. 2016)",
    4,
    _layer("fsrcnn-x2", (56, 1), 64, 9, 2, 4, 1),
    _layer("fsrcnn-x3", (56, 1), 64, 9, 3, 4, 2),
    _layer("fsrcnn-x4", (56, 1), 64, 9, 4, 4, 3),
)
_LAPSRN = _network(
    "LapSRN feature upsampling, twtygqyy/pytorch-LapSRN (Lai et al. 2017)",
    4,
    _layer("lapsrn", (64, 64), 64, 4, 2, 1),
)
_WAIFU2X = _network(
    "waifu2x upconv_7, nagadomi/waifu2x",
    4,
    _layer("waifu2x", (256, 3), 114, 4, 2, 3),
)
_FCN = _network(
    "FCN-8s upsampling, shelhamer/fcn.berkeleyvision.org (Long et al. 2015)",
    1,
    _layer("fcn-2x", (21, 21), 16, 4, 2),
    _layer("fcn-8x", (21, 21), 34, 16, 8),
)
_POSE = _network(
    "Simple Baselines deconvolution head, microsoft/human-pose-estimation.pytorch "
    "(Xiao et al. 2018)",
    8,
    _layer("pose-1", (2048, 256), (8, 6), 4, 2, 1),
    _layer("pose-3", (256, 256), (32, 24), 4, 2, 1),
)
_MASK = _network(
    "Mask R-CNN mask head, facebookresearch/detectron2 (He et al. 2017)",
    100,
    _layer("maskrcnn", (256, 256), 14, 2, 2),
)
_SAM = _network(
    "SAM mask decoder, facebookresearch/segment-anything (Kirillov et al. 2023)",
    1,
    _layer("sam-1", (256, 64), 64, 2, 2),
    _layer("sam-2", (64, 32), 128, 2, 2),
)
_ERFNET = _network(
    "ERFNet upsampler block, Eromera/erfnet_pytorch (Romera et al. 2018)",
    1,
    _layer("erfnet-1", (128, 64), (64, 128), 3, 2, 1, 1),
)
_VQVAE = _network(
    "VQ-VAE-2 decoder, rosinality/vq-vae-2-pytorch (Razavi et al. 2019)",
    8,
    _layer("vqvae-1", (128, 64), 64, 4, 2, 1),
    _layer("vqvae-2", (64, 3), 128, 4, 2, 1),
)
_POINTPILLARS = _network(
    "PointPillars neck, open-mmlab/OpenPCDet (Lang et al. 2019)",
    1,
    _layer("pointpillars-4x", (256, 128), (62, 54), 4, 4),
)

_HIFIGAN = _network(
    "HiFi-GAN V1, jik876/hifi-gan config_v1.json (Kong et al. 2020)",
    1,
    _layer("hifigan-1", (512, 256), 200, 16, 8, 4, rank=1),
    _layer("hifigan-2", (256, 128), 1600, 16, 8, 4, rank=1),
    _layer("hifigan-3", (128, 64), 12800, 4, 2, 1, rank=1),
    _layer("hifigan-4", (64, 32), 25600, 4, 2, 1, rank=1),
)
_MELGAN = _network(
    "MelGAN, seungwonpark/melgan (Kumar et al. 2019)",
    16,
    _layer("melgan-1", (512, 256), 32, 16, 8, 4, rank=1),
    _layer("melgan-3", (128, 64), 2048, 4, 2, 1, rank=1),
)
_WAVEGAN = _network(
    "WaveGAN, chrisdonahue/wavegan (Donahue et al. 2019)",
    64,
    _layer("wavegan-1", (1024, 512), 16, 25, 4, 11, 1, rank=1),
    _layer("wavegan-3", (256, 128), 256, 25, 4, 11, 1, rank=1),
    _layer("wavegan-5", (64, 1), 4096, 25, 4, 11, 1, rank=1),
)
_ENCODEC = _network(
    "EnCodec 24 kHz decoder, facebookresearch/encodec (Defossez et al. 2022)",
    1,
    _layer("encodec-1", (512, 256), 150, 16, 8, rank=1),
    _layer("encodec-2", (256, 128), 1200, 10, 5, rank=1),
    _layer("encodec-3", (128, 64), 6000, 8, 4, rank=1),
    _layer("encodec-4", (64, 32), 24000, 4, 2, rank=1),
)
_DAC = _network(
    "DAC 44 kHz decoder, descriptinc/descript-audio-codec (Kumar et al. 2023)",
    1,
    _layer("dac-1", (1536, 768), 87, 16, 8, 4, rank=1),
    _layer("dac-4", (192, 96), 22272, 4, 2, 1, rank=1),
)
_DEMUCS = _network(
    "Demucs v2 decoder, facebookresearch/demucs (Defossez et al. 2019)",
    1,
    _layer("demucs-1", (1024, 512), 341, 8, 4, rank=1),
)
_WAVEGLOW = _network(
    "WaveGlow mel upsampling, NVIDIA/waveglow (Prenger et al. 2019)",
    1,
    _layer("waveglow", (80, 80), 100, 1024, 256, rank=1),
)

_GAN_3D = _network(
    "3D-GAN (Wu et al. 2016), zck119/3dgan-release",
    16,
    _layer("3dgan-1", (200, 512), 1, 4, rank=3),
    _layer("3dgan-2", (512, 256), 4, 4, 2, 1, rank=3),
    _layer("3dgan-3", (256, 128), 8, 4, 2, 1, rank=3),
    _layer("3dgan-5", (64, 1), 32, 4, 2, 1, rank=3),
)
_VNET = _network(
    "V-Net, mattmacy/vnet.pytorch (Milletari et al. 2016)",
    1,
    _layer("vnet-1", (256, 128), (8, 8, 4), 2, 2, rank=3),
    _layer("vnet-3", (128, 32), (32, 32, 16), 2, 2, rank=3),
)
_NNUNET = _network(
    "nnU-Net 3d_fullres, MIC-DKFZ/nnUNet (Isensee et al. 2021)",
    1,
    _layer("nnunet-1", (320, 320), 4, 2, 2, rank=3),
    _layer("nnunet-5", (64, 32), 64, 2, 2, rank=3),
)
_VGAN = _network(
    "VGAN foreground stream, cvondrick/videogan (Vondrick et al. 2016)",
    8,
    _layer("vgan-2", (512, 256), (2, 4, 4), 4, 2, 1, rank=3),
    _layer("vgan-5", (64, 3), (16, 32, 32), 4, 2, 1, rank=3),
)

LAYERS: tuple[Layer, ...] = (
    *(_DCGAN + _DCGAN_5X5 + _PIX2PIX + _CYCLEGAN + _STYLEGAN + _STYLEGAN2 + _UNET + _FSRCNN),
    *(_LAPSRN + _WAIFU2X + _FCN + _POSE + _MASK + _SAM + _ERFNET + _VQVAE + _POINTPILLARS),
    *(_HIFIGAN + _MELGAN + _WAVEGAN + _ENCODEC + _DAC + _DEMUCS + _WAVEGLOW),
    *(_GAN_3D + _VNET + _NNUNET + _VGAN),
)

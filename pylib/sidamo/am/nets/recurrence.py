"""Recurrences with their gradients by hand: one pass ahead, one pass back, no graph of thousands of small steps.

torch's autograd would record ten small operations for each frame and add up the gradient of the recurrent weights frame
by frame. Here the forward pass keeps what the gradient needs, the way back walks through time with one small product a
frame, and all weight gradients are one large product at the end. The walk is the same for every gated cell

    h_t = z_t h_{t-1} + (rest of h_{t-1} by way of a_t = W h_{t-1}):   da_t = c_t dh_t,   dh_{t-1} += z_t dh_t + W' da_t

where c_t is known before the walk begins. Tensors are (T, S, B, H): time first, then S, the directions.
"""

import numpy as np
import torch
from torch import Tensor


def walk_back(grad: Tensor, slopes: Tensor, kept: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The way back through a gated recurrence.

    Parameters
    ----------
    grad : (T, S, B, H), of the outputs by what lies above
    slopes : (T, S, B, K, H), c_t: a_t's gradient per gradient of h_t; overwritten
    kept : (T, S, B, H), z_t
    weight : (S, H, K H), a_t = h_{t-1} weight; in its precision the products are taken

    Returns
    -------
    (T, S, B, H) whole gradient of h_t, (T, S, B, K H) that of a_t
    """
    whole, back = torch.empty_like(grad), weight.transpose(1, 2).contiguous()
    carried = torch.zeros_like(grad[0])
    for t in range(len(grad) - 1, -1, -1):
        here = torch.add(grad[t], carried, out=whole[t])
        inner = slopes[t].mul_(here.unsqueeze(2)).flatten(2)
        carried = here * kept[t]
        carried += torch.bmm(inner.to(weight.dtype), back)
    return whole, slopes.flatten(3)


def weight_gradient(before: Tensor, inner: Tensor, kind: torch.dtype) -> Tensor:
    """Sum over time and batch of h_{t-1}' da_t: (T, S, B, H), (T, S, B, K H) -> (S, H, K H) float32."""
    left, right = (x.to(kind).transpose(0, 1).flatten(1, 2) for x in (before, inner))  # (S, T B, ..)
    return torch.stack([a.T @ b for a, b in zip(left, right)]).float()


def product_type(x: Tensor) -> torch.dtype:
    """What autocast takes products in, here."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32


def shifted(h: Tensor) -> Tensor:
    """h_{t-1} for each t, zeros before the first."""
    return torch.cat([torch.zeros_like(h[:1]), h[:-1]])


class LigruScan(torch.autograd.Function):
    """z = sigmoid(g_z + h U_z), c = relu(g_c + h U_c) keep, h = z h + (1 - z) c.

    apply(g (T, S, B, 2 H), U (S, H, 2 H), keep (S, B, H)) -> (T, S, B, H), float32
    """

    @staticmethod
    def forward(ctx, gates, weight, keep):
        ctx.kind = product_type(gates)
        with torch.autocast(gates.device.type, enabled=False):
            size, fast = weight.size(1), weight.to(ctx.kind)
            gates = gates.clone()
            outputs = torch.empty(*gates.shape[:3], size, device=gates.device)
            h = torch.zeros_like(keep)
            for now, out in zip(gates, outputs):
                now += torch.bmm(h.to(ctx.kind), fast)
                z, c = now.split(size, dim=2)
                z.sigmoid_()
                c.relu_().mul_(keep)
                h = torch.lerp(c, h, z, out=out)
        ctx.save_for_backward(gates, outputs, fast, keep)
        return outputs

    @staticmethod
    def backward(ctx, grad):
        gates, outputs, weight, keep = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            z, c = gates.split(weight.size(1), dim=3)
            before = shifted(outputs)
            slopes = torch.stack([(before - c).mul_(z).mul_(1 - z), (1 - z).mul_(keep * (c > 0))], dim=3)
            _, inner = walk_back(grad.contiguous(), slopes, z, weight)
            return inner, weight_gradient(before, inner, ctx.kind), None


class GruScan(torch.autograd.Function):
    """r, z = sigmoid(g_rz + h W_rz), n = tanh(g_n + r (h W_n + b)), h = z h + (1 - z) n: nn.GRU's cell.

    apply(g (T, S, B, 3 H), W (S, H, 3 H), b (S, 1, H)) -> (T, S, B, H), float32; the biases of r and z are in g
    """

    @staticmethod
    def forward(ctx, gates, weight, bias):
        ctx.kind = product_type(gates)
        with torch.autocast(gates.device.type, enabled=False):
            size, fast = weight.size(1), weight.to(ctx.kind)
            gates = gates.clone()
            outputs, inner = (torch.empty(*gates.shape[:3], size, device=gates.device) for _ in range(2))
            h = torch.zeros_like(outputs[0])
            for now, m, out in zip(gates, inner, outputs):
                product = torch.bmm(h.to(ctx.kind), fast)
                rz, n = now.split(2 * size, dim=2)
                rz.add_(product[..., : 2 * size]).sigmoid_()
                torch.add(product[..., 2 * size :], bias, out=m)
                n.addcmul_(rz[..., :size], m).tanh_()
                h = torch.lerp(n, h, rz[..., size:], out=out)
        ctx.save_for_backward(gates, inner, outputs, fast)
        return outputs

    @staticmethod
    def backward(ctx, grad):
        gates, m, outputs, weight = ctx.saved_tensors
        size = weight.size(1)
        with torch.autocast(grad.device.type, enabled=False):
            r, z, n = gates.split(size, dim=3)
            before = shifted(outputs)
            slope = (1 - z) * (1 - n * n)  # of tanh's argument
            slopes = torch.stack([slope * m * r * (1 - r), (before - n) * z * (1 - z), slope * r], dim=3)
            whole, inner = walk_back(grad.contiguous(), slopes, z, weight)
            grad_bias = inner[..., 2 * size :].sum((0, 2)).unsqueeze(1)
            grad_weight = weight_gradient(before, inner, ctx.kind)
            torch.mul(whole, slope, out=inner[..., 2 * size :])  # the input reaches tanh directly, not by way of r
            return inner, grad_weight, grad_bias


class IndrnnScan(torch.autograd.Function):
    """h_t = relu(y_t + u h_{t-1}), unit by unit; units from `turn` on read from right to left. On a CPU, by numba.

    apply(y (B, T, H), u (H,), lengths (B,), turn) -> (B, T, H), float32, zero beyond each length
    """

    @staticmethod
    def forward(ctx, y, u, lengths, turn: int):
        from .indrnn_kernel import forward

        out = torch.zeros_like(y, memory_format=torch.contiguous_format)
        forward(y.detach().contiguous().numpy(), u.detach().numpy(), lengths.numpy(), turn, out.numpy())
        ctx.save_for_backward(out, u, lengths)
        ctx.turn = turn
        return out

    @staticmethod
    def backward(ctx, grad):
        from .indrnn_kernel import backward

        out, u, lengths = ctx.saved_tensors
        grad_y, grad_u = torch.zeros_like(out), np.zeros(len(u), np.float64)
        backward(grad.contiguous().numpy(), out.numpy(), u.detach().numpy(), lengths.numpy(), ctx.turn, grad_y.numpy(),
                 grad_u)  # fmt: skip
        return grad_y, torch.from_numpy(grad_u).float(), None, None

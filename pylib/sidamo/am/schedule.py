"""Learning rate as a function of progress."""

import math


def learning_rate(options, progress: float, step: int, newbob: float = 1.0) -> float:
    """Learning rate for one update.

    Parameters
    ----------
    options : TrainOptions (learning_rate, schedule, warmup_steps, final_lr_factor)
    progress : float, share of all training done, 0 to 1
    step : int, updates made so far
    newbob : float, product of the halvings so far

    Schedules: constant; cosine, from the peak to final_lr_factor of it (Loshchilov and Hutter 2017); noam, peak times
    sqrt(warmup / step) (Vaswani et al. 2017, scaled so that the peak is the learning rate); newbob, constant, halved
    when the dev error stalls; linear; onecycle, a linear rise over the first 30% and a cosine fall (Smith 2018).
    All but onecycle rise linearly over warmup_steps.
    """
    peak, floor = options.learning_rate, options.final_lr_factor
    warmup = min(1.0, (step + 1) / max(1, options.warmup_steps))
    if options.schedule == "constant":
        return peak * warmup
    if options.schedule == "newbob":
        return peak * warmup * newbob
    if options.schedule == "noam":
        return peak * min(warmup, math.sqrt(max(1, options.warmup_steps) / (step + 1)))
    if options.schedule == "cosine":
        return peak * warmup * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
    if options.schedule == "linear":
        return peak * warmup * (floor + (1 - floor) * (1 - min(1.0, progress)))
    if progress < 0.3:
        return peak * (0.04 + 0.96 * progress / 0.3)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.3) / 0.7))))


SCHEDULES = ("constant", "cosine", "noam", "newbob", "linear", "onecycle")

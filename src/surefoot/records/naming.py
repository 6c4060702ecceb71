"""Naming: what tools and people call settings, results, budgets, times and trials."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What tools write before the name of a setting, of a result, of their own affairs.
SETTING_PREFIXES = (
    *("params_", "params.", "params/", "param_"),
    *("config.", "config/", "hparams.", "hparams/", "hyperparameters."),
)
RESULT_PREFIXES = ("user_attrs_", "metrics.", "metrics/", "summary.", "summary/", "attributes_")
OTHER_PREFIXES = ("system_attrs_", "tags.")

# The best identifier first.
NAMES = (
    *("number", "trial_number", "trial_id", "trial", "run_id", "run", "run_name", "trial_name", "id", "name"),
    *("experiment", "index", "idx", "uuid", "no", "nr", "row", "job", "job_id", "config_id", "column_1"),
)
STATES = _set("state status trial_state run_state")
SEEDS = _set("seed random_seed random_state rng_seed seeds")
ORIGINS = _set("origin sampler proposed_by")
STARTED = _set("datetime_start started_at start_time started created created_at date datetime timestamp")
ENDED = _set("datetime_complete ended_at end_time ended finished_at completed_at")
BUDGETS = _set(
    "epochs epoch total_epochs num_epochs n_epochs max_epochs epochs_trained trained_epochs epochs_run steps step "
    "total_steps num_steps global_step max_steps iterations iteration training_iteration total_iterations "
    "num_iterations samples samples_seen total_samples num_updates timesteps_total"
)
SIZES = _set(
    "parameters params n_params num_params n_parameters num_parameters param_count params_count parameter_count "
    "total_params param_total flops macs memory peak_memory gpu_memory model_size"
)
TOOLS = _set(
    "notes user tags sweep group host hostname node_ip pid git_commit commit github job_type job_name description "
    "experiment_id experiment_tag artifact_uri lifecycle_stage params updated_at heartbeat_at comment comments"
)
PLACES = _set("path paths checkpoint ckpt file filename dir directory folder logdir url uri artifact artifacts")
DURATIONS = _set("seconds secs sec duration runtime elapsed walltime hours minutes mins ms milliseconds")
UNITS = {"hours": 3600.0, "minutes": 60.0, "mins": 60.0, "min": 60.0, "ms": 1e-3, "milliseconds": 1e-3}
METRICS = _set(
    "loss losses acc accuracy err error errors score scores f1 auc auroc auprc roc mae mse rmse rmsle mape r2 iou "
    "miou dice jaccard jacard precision recall perplexity ppl bleu rouge reward rewards fitness objective metric "
    "metrics nll logloss kappa mcc psnr ssim fid wer cer throughput latency regret top1 top5 likelihood elbo"
)
SPLITS = _set("train training val valid validation test testing eval evaluation dev holdout final best last")
# A measured word beside one of these is a setting: loss_type, score_threshold, train_batch_size, final_lr.
SETTING_WORDS = _set(
    "type fn func function kind weight weights alpha beta gamma lambda coef coeff coefficient scale scaling "
    "reduction temperature margin smoothing threshold schedule scheduler mode method clip clipping size split "
    "fraction frac ratio batch every interval freq frequency aug augmentation augment workers lr rate factor layer "
    "layers dropout activation resolution crop momentum decay patience warmup"
)
AGGREGATES = _set("best final last max min mean avg average median std sd se sum total")


def words_of(name: str) -> list[str]:
    """The name's words in small letters: "bestValAcc" and "best_val/acc" are best, val and acc."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return [word for word in re.split(r"[\W_]+", parted) if word]


def plain(name: str) -> str:
    """The name as people write it in code: "trial number" and "trialNumber" are trial_number."""
    return "_".join(words_of(name))


def prefix_of(header: str, prefixes: tuple[str, ...]) -> str:
    """The prefix that a tool put before a name; nothing where there is none, or the whole is a name of its own."""
    if plain(header) in SIZES:
        return ""
    return next((p for p in prefixes if header.startswith(p) and len(header) > len(p)), "")


def unit_seconds(name: str) -> float:
    """How many seconds one of what the name counts is."""
    return next((UNITS[word] for word in reversed(words_of(name)) if word in UNITS), 1.0)

"""Every word of a report in English and Chinese; names that a user gave stand as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

PHRASES: Mapping[str, tuple[str, str]] = {
    "lang": ("en", "zh-CN"),
    "comma": (", ", "、"),
    "pair": ("{first}, {second}", "{first}：{second}"),
    # head and notices
    "report": ("report", "实验报告"),
    "heading": ("{model} on {data}", "{model}：在 {data} 上的实验"),
    "made": ("Made by dlcourse {version}.", "由 dlcourse {version} 生成。"),
    "one_run": ("One run", "一次运行"),
    "many_runs": ("{count} runs with seeds {seeds}", "{count} 次运行，随机种子为 {seeds}"),
    "not_done": (
        "{run} is {state} at step {step}: its numbers are those so far.",
        "{run} {state}，停在第 {step} 步：这里只是到目前为止的数字。",
    ),
    "same_seed": (
        "Not counted, since other runs here have the same seed and these are no independent repetitions: {runs}.",
        "以下运行与其他运行的随机种子相同，不是独立的重复，未予计入：{runs}。",
    ),
    "share_training": (
        "The folds share training data: intervals over folds are as a rule too narrow, and stay so ({source}).",
        "各折共用训练数据，彼此不独立：按折计算的区间通常偏窄，仅凭各折无法校正（{source}）。",
    ),
    "over_seeds": ("seeds", "随机种子"),
    "over_folds": ("folds", "交叉验证折"),
    "seed_fold": ("{seed} (fold {fold})", "{seed}（第 {fold} 折）"),
    "untested": (
        "{run} has no test numbers: it was trained with test=false or did not reach its end.",
        "{run} 没有测试结果：它以 test=false 训练，或者没有训练完。",
    ),
    "other_items": (
        "The runs were tested on different items, so what stands below of single items is of {run} alone.",
        "这些运行的测试集不同，因此下面有关单个样本的内容只来自 {run}。",
    ),
    "damaged": ("{path} is damaged and was left out.", "{path} 已损坏，未予采用。"),
    # the sentence
    "summary": ("What was done", "做了什么"),
    "trained": (
        "The model {model} was trained on {data}{items} with {optimizer}{lr} and the schedule {scheduler} for {epochs} "
        "({steps} steps of {batch_size} samples{drawn}), which took {time}{each}.",
        "训练模型 {model}，数据集 {data}{items}，优化器 {optimizer}{lr}，学习率调度 {scheduler}，共 {epochs}"
        "（{steps} 步，每步 {batch_size} 个样本{drawn}），{each}用时 {time}。",
    ),
    "epoch": ("1 epoch", "1 轮"),
    "epochs": ("{count} epochs", "{count} 轮"),
    "samples_drawn": (", {count} in all", "，总计 {count} 个"),
    "started_from": ("It started from weights of {runs}.", "初始权重取自运行 {runs}。"),
    "each": (" each", "每次"),
    "items": (
        " ({train} items to train, {val} to validate, {test} to test)",
        "（训练 {train} 项，验证 {val} 项，测试 {test} 项）",
    ),
    "lr": (" (learning rate {lr})", "（学习率 {lr}）"),
    "best_one": (
        "The checkpoint with the best validation {metric} ({val}) was kept.",
        "保留验证{metric}最佳（{val}）的检查点。",
    ),
    "tested_one": (" On the test split its {metric} is {test}{interval}.", "其在测试集上{metric}为 {test}{interval}。"),
    "interval_one": (" (95 % interval {low} to {high})", "（95% 置信区间 {low} 至 {high}）"),
    "best_many": (
        "Of each run the checkpoint with the best validation {metric} was kept; these are {val} in the mean.",
        "每次运行保留验证{metric}最佳的检查点，其均值为 {val}。",
    ),
    "tested_many": (
        " On the test split the mean {metric} of {count} {over} is {test} with a standard deviation of {sd}{interval}.",
        "在测试集上，{count} 个{over}的平均{metric}为 {test}，标准差 {sd}{interval}。",
    ),
    "one_seed": (
        "One run says nothing of how far this number varies with the seed: dlcourse report RUN RUN RUN.",
        "单次运行说明不了结果随随机种子的波动；请汇总多个种子：dlcourse report RUN RUN RUN。",
    ),
    "seeds_only": (
        "The interval of one run says how exact its number is for this test split; another seed gives another number. "
        "Several seeds say how far they scatter: dlcourse report RUN RUN RUN.",
        "单次运行的区间只说明这个数字在该测试集上有多精确；换一个随机种子，数字就会不同。"
        "要看波动有多大，请汇总多个种子：dlcourse report RUN RUN RUN。",
    ),
    # numbers
    "numbers": ("Numbers", "数值结果"),
    "metric": ("metric", "指标"),
    "validation": ("best validation", "最佳验证"),
    "test": ("test", "测试"),
    "train": ("training", "训练"),
    "val": ("validation", "验证"),
    "interval": ("95 % interval", "95% 置信区间"),
    "by_wilson": (
        "Interval by Wilson: how far accuracy could differ on other items of the same kind.",
        "区间按 Wilson 方法计算：表示换一批同类样本，该数字可能相差多少。",
    ),
    "by_t": (
        "Means over {over} with standard deviation; intervals of the mean by Student's t.",
        "表中为各{over}的均值与标准差；均值的区间按学生氏 t 分布计算。",
    ),
    "mean": ("mean", "均值"),
    "sd": ("standard deviation", "标准差"),
    "each_run": ("Each run", "各次运行"),
    "run": ("run", "运行"),
    "seed": ("seed", "种子"),
    "state": ("state", "状态"),
    "time": ("time", "用时"),
    "per_class": ("By class", "各类别"),
    "class": ("class", "类别"),
    "details": ("In detail", "细分结果"),
    "part": ("part", "部分"),
    "part/opening": ("opening", "开局"),
    "part/middle": ("middle", "中盘"),
    "part/end": ("end", "收官"),
    "part/form": ("form", "体式"),
    "part/rhyme": ("rhyme", "押韵"),
    "part/tone": ("tone", "平仄"),
    "part/all": ("all of them", "全部符合"),
    # curves
    "curves": ("Learning curves", "学习曲线"),
    "steps": ("optimizer steps", "优化步数"),
    "rate": ("learning rate", "学习率"),
    "bands": ("Bands: 95 % intervals of the mean over {over}.", "色带：各{over}均值的 95% 置信区间。"),
    "shortest_end": ("to step {step}, where the shortest run ends", "到第 {step} 步，最短的运行在此结束"),
    "single_points": ("runs of a single point left out: {count}", "略去只有一个点的运行：{count}"),
    "bands_two": ("Bands: from the lower to the higher of two runs.", "色带：两次运行中较低值到较高值的范围。"),
    # classification
    "confusion": ("Confusion matrix", "混淆矩阵"),
    "confusion_note": (
        "Rows are the true classes, columns the predicted ones; the colour is the share of the row.",
        "行为真实类别，列为预测类别；颜色深浅表示占该行的比例。",
    ),
    "summed": (" Counts are summed over {count} runs.", "计数为 {count} 次运行之和。"),
    "confused": ("Most frequent confusions", "最常见的混淆"),
    "truth": ("true", "真实类别"),
    "predicted": ("predicted", "预测类别"),
    "count": ("count", "次数"),
    "share": ("share of the true class", "占真实类别的比例"),
    "ranking": ("ROC and precision-recall curves", "ROC 曲线与精确率-召回率曲线"),
    "roc": ("ROC", "ROC 曲线"),
    "pr": ("Precision and recall", "精确率与召回率"),
    "fpr": ("false positive rate", "假阳性率"),
    "tpr": ("true positive rate", "真阳性率"),
    "recall_axis": ("recall", "召回率"),
    "precision_axis": ("precision", "精确率"),
    "curve_name": ("{name} (area {area})", "{name}（面积 {area}）"),
    "curve_mean": ("mean of all classes", "所有类别的平均"),
    "one_against_one": ("Of {name} against {other}.", "以 {name} 为正类，{other} 为负类。"),
    "one_against_rest": ("Each class against all others.", "每一类分别对其余各类。"),
    "hardest": (
        " Shown are the {shown} of {count} classes with the smallest area.",
        "仅显示 {count} 个类别中面积最小的 {shown} 个。",
    ),
    "macro": (" Each curve is the mean over the classes.", "每条曲线为各类别的平均。"),
    "areas": (
        " Area under ROC: the chance that an item of the class scores above another; 0.5 is guessing.",
        "ROC 曲线下面积：该类样本得分高于其他样本的概率；0.5 相当于随机猜测。",
    ),
    "mistakes": ("Worst mistakes", "最严重的错误"),
    "mistakes_note": (
        "Items whose true class seemed least probable, by their place in the test split.",
        "真实类别的预测概率最低的样本，按其在测试集中的编号列出。",
    ),
    "mistakes_many": (
        "Items that most runs have wrong, by their place in the test split; probabilities are means over the runs.",
        "多数运行都判错的样本，按其在测试集中的编号列出；概率为各次运行的均值。",
    ),
    "item": ("item", "样本"),
    "chance": ("probability", "概率"),
    "wrong_in": ("wrong in", "判错次数"),
    "of": ("{count} of {all}", "{count} / {all}"),
    # what the task left
    "pictures": ("Pictures", "图片"),
    "pictures_of": ("Of {run}, as the run drew them.", "来自 {run}，由程序在运行时绘制（图中文字为英文）。"),
    "test_confusion": ("Confusion matrix", "混淆矩阵"),
    "test_mistakes": ("Worst mistakes", "最严重的错误"),
    "test_attention": ("Attention beside what counted", "注意力与实际起作用的词"),
    "test_boards": ("Positions and the moves it would play", "局面与模型的着法"),
    "flips": ("Deletion test", "删除检验"),
    "flips_note": (
        "How many labels flip when the words that a method ranks first are deleted.",
        "删去某种方法认为最重要的词后，有多少样本的预测类别发生翻转。",
    ),
    "samples": ("Samples", "生成样例"),
    "samples_note": ("Written by {run} at step {step}.", "由 {run} 在第 {step} 步生成。"),
    "samples/free": ("free", "自由生成"),
    "samples/by_the_rules": ("by the rules", "按格律生成"),
    "matches": ("Games against others", "对局成绩"),
    "opponent": ("opponent", "对手"),
    "games": ("games", "局数"),
    "won": ("won", "胜"),
    "drawn": ("drawn", "平"),
    "lost": ("lost", "负"),
    "points": ("points", "得分率"),
    # settings
    "settings": ("Settings", "设置"),
    "changed": ("What differs from the defaults", "与默认值不同的设置"),
    "no_defaults": (
        "The defaults of this run's options are not known here, so all settings stand below.",
        "此处无法得知该运行所选选项的默认值，因此下面列出全部设置。",
    ),
    "none_changed": ("Nothing: all settings are the defaults.", "没有：全部设置均为默认值。"),
    "all_settings": ("All {count} settings", "全部 {count} 项设置"),
    "setting": ("setting", "设置项"),
    "value": ("value", "值"),
    "default": ("default", "默认值"),
    "settings_of": (
        "The settings of all these runs are the same but for the seed and what changes no result.",
        "除随机种子和不影响结果的设置外，这些运行的设置完全相同。",
    ),
    "data": ("Data", "数据"),
    "split": ("split", "划分"),
    "size": ("items", "数量"),
    "fingerprint": ("SHA-256", "SHA-256"),
    "environment": ("Environment", "运行环境"),
    "environment_of": ("That of {run}.", "{run} 的环境。"),
    # how to repeat it
    "repeat": ("How to repeat it", "如何重现"),
    "command": ("The command that started it:", "启动训练的命令："),
    "again": (
        "The same again from the stored settings, with a comparison of the numbers at the end:",
        "按保存的设置重新训练，并在结束时比较结果：",
    ),
    "no_command": ("{run} keeps no overrides.txt.", "{run} 没有保存 overrides.txt。"),
    # states
    "done": ("done", "已完成"),
    "running": ("still running", "仍在训练"),
    "interrupted": ("interrupted", "被中断"),
    "failed": ("broken off by an error", "因错误终止"),
    "killed": ("killed", "被强行终止"),
    # lengths of time
    "seconds": ("{seconds} s", "{seconds} 秒"),
    "minutes": ("{minutes} min {seconds} s", "{minutes} 分 {seconds} 秒"),
    "hours": ("{hours} h {minutes} min", "{hours} 小时 {minutes} 分"),
    # the environment
    "env/python": ("Python", "Python"),
    "env/platform": ("system", "操作系统"),
    "env/device": ("device", "设备"),
    "env/processor": ("processor", "处理器"),
    "env/threads": ("threads", "线程数"),
    "env/cuda": ("CUDA", "CUDA"),
    "env/git.commit": ("git commit", "git 提交"),
    "env/git.dirty": ("files that differ from it", "有未提交的改动"),
}
"""Name -> English, Chinese; what stands in braces is filled in."""

METRICS: Mapping[str, tuple[str, str]] = {
    "loss": ("loss (nats)", "损失（奈特）"),
    "accuracy": ("accuracy", "准确率"),
    "top5": ("top-5 accuracy", "前 5 准确率"),
    "precision": ("precision", "精确率"),
    "precision_macro": ("precision, macro", "精确率（宏平均）"),
    "precision_weighted": ("precision, weighted", "精确率（加权）"),
    "recall": ("recall", "召回率"),
    "recall_macro": ("recall, macro", "召回率（宏平均）"),
    "recall_weighted": ("recall, weighted", "召回率（加权）"),
    "f1": ("F1", "F1"),
    "f1_macro": ("F1, macro", "F1（宏平均）"),
    "f1_weighted": ("F1, weighted", "F1（加权）"),
    "roc_auc": ("area under ROC", "ROC 曲线下面积"),
    "ece": ("calibration error (ECE)", "校准误差（ECE）"),
    "ece_scaled": ("calibration error, scaled", "校准误差（温度缩放后）"),
    "temperature": ("fitted temperature", "拟合温度"),
    "perplexity": ("perplexity", "困惑度"),
    "perplexity_characters": ("perplexity of characters", "困惑度（仅汉字）"),
    "lr": ("learning rate", "学习率"),
    "support": ("items", "样本数"),
    "positions": ("positions", "局面数"),
    "compliance": ("keeps the rules", "合格律比例"),
}
"""Names of numbers in metrics.jsonl; one that is not here stands as it is."""


ENDINGS: Mapping[str, tuple[str, str]] = {
    "_opening": (", opening", "（开局）"),
    "_middle": (", middle", "（中盘）"),
    "_end": (", end", "（收官）"),
    "_8": (", mean of 8 symmetries", "（8 种对称的平均）"),
}
"""Ends of such names, the last one first."""


def phrases(lang: Language) -> dict[str, str]:
    """Every phrase in one language."""
    place = LANGUAGES.index(lang)
    return {name: both[place] for name, both in PHRASES.items()}


def metric_name(name: str, *, lang: Language) -> str:
    """How a number is called: its own name, and what it is restricted to."""
    place = LANGUAGES.index(lang)
    said: list[str] = []
    for ending, both in ENDINGS.items():
        if name.endswith(ending) and name.removesuffix(ending).partition("_")[0] in METRICS:
            name = name.removesuffix(ending)
            said.insert(0, both[place])
    return "".join([METRICS[name][place] if name in METRICS else name, *said])

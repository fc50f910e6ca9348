# How jobs are run; every stage goes through these. One machine: run.py. A cluster: the same recipe with another back end,
# for example export train_cmd="slurm.py --config conf/slurm.conf".
export train_cmd="run.py"
export decode_cmd="run.py"

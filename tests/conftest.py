from pipeline_def import local_beam

local_beam.use_own_runner()

CREATE TABLE schema_versions (
	version INTEGER NOT NULL, 
	written_by TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (version)
)
;
CREATE TABLE studies (
	id SERIAL NOT NULL, 
	name TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
)
;
CREATE TABLE events (
	id SERIAL NOT NULL, 
	study_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	experiment TEXT, 
	payload TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study_id) REFERENCES studies (id)
)
;
CREATE INDEX ix_events_study_id ON events (study_id)
;
CREATE TABLE revisions (
	id SERIAL NOT NULL, 
	study_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	plan_hash TEXT NOT NULL, 
	plan_text TEXT NOT NULL, 
	plan_path TEXT NOT NULL, 
	known TEXT NOT NULL, 
	registered_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (study_id, number), 
	FOREIGN KEY(study_id) REFERENCES studies (id)
)
;
CREATE TABLE runs (
	id SERIAL NOT NULL, 
	study_id INTEGER NOT NULL, 
	key TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	workload TEXT NOT NULL, 
	config TEXT NOT NULL, 
	seed BIGINT NOT NULL, 
	experiment TEXT NOT NULL, 
	arm TEXT NOT NULL, 
	provenance TEXT NOT NULL, 
	coordinator TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (key, attempt), 
	FOREIGN KEY(study_id) REFERENCES studies (id)
)
;
CREATE INDEX ix_runs_study_id ON runs (study_id)
;
CREATE TABLE verdicts (
	id SERIAL NOT NULL, 
	study_id INTEGER NOT NULL, 
	experiment TEXT NOT NULL, 
	arm TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	decision TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	estimate FLOAT, 
	low FLOAT, 
	high FLOAT, 
	p FLOAT, 
	detectable FLOAT, 
	payload TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study_id) REFERENCES studies (id)
)
;
CREATE INDEX ix_verdicts_study_id ON verdicts (study_id)
;
CREATE TABLE experiments (
	id SERIAL NOT NULL, 
	study_id INTEGER NOT NULL, 
	revision_id INTEGER NOT NULL, 
	key TEXT NOT NULL, 
	content_hash TEXT NOT NULL, 
	definition TEXT NOT NULL, 
	registered_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (revision_id, key), 
	FOREIGN KEY(study_id) REFERENCES studies (id), 
	FOREIGN KEY(revision_id) REFERENCES revisions (id)
)
;
CREATE INDEX ix_experiments_study_id ON experiments (study_id)
;
CREATE TABLE measurements (
	run_id INTEGER NOT NULL, 
	step BIGINT NOT NULL, 
	metrics TEXT NOT NULL, 
	PRIMARY KEY (run_id, step), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
)
;
CREATE TABLE outcomes (
	run_id INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	checkpoints TEXT NOT NULL, 
	provenance TEXT NOT NULL, 
	wall_seconds FLOAT NOT NULL, 
	ended_at TEXT NOT NULL, 
	PRIMARY KEY (run_id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
)
;
CREATE INDEX ix_outcomes_counts ON outcomes (run_id, status, wall_seconds)
;
CREATE TABLE uses (
	study_id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	experiment TEXT NOT NULL, 
	arm TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (study_id, run_id, experiment, arm), 
	FOREIGN KEY(study_id) REFERENCES studies (id), 
	FOREIGN KEY(run_id) REFERENCES runs (id)
)
;
CREATE INDEX ix_uses_run_id ON uses (run_id)
;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'the record is append-only'; END$$
;
CREATE TRIGGER schema_versions_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON schema_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER studies_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON studies FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER events_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER revisions_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON revisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER runs_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON runs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER verdicts_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON verdicts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER experiments_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON experiments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER measurements_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON measurements FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER outcomes_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON outcomes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
;
CREATE TRIGGER uses_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON uses FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()

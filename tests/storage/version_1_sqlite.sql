CREATE TABLE schema_versions (
	version INTEGER NOT NULL, 
	written_by TEXT NOT NULL, 
	at TEXT NOT NULL, 
	PRIMARY KEY (version)
)
;
CREATE TABLE studies (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
)
;
CREATE TABLE events (
	id INTEGER NOT NULL, 
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
	id INTEGER NOT NULL, 
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
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
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
	UNIQUE ("key", attempt), 
	FOREIGN KEY(study_id) REFERENCES studies (id)
)
;
CREATE INDEX ix_runs_study_id ON runs (study_id)
;
CREATE TABLE verdicts (
	id INTEGER NOT NULL, 
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
	id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	revision_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	content_hash TEXT NOT NULL, 
	definition TEXT NOT NULL, 
	registered_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (revision_id, "key"), 
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
 WITHOUT ROWID
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
CREATE TRIGGER schema_versions_refuses_UPDATE BEFORE UPDATE ON schema_versions BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER schema_versions_refuses_DELETE BEFORE DELETE ON schema_versions BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER studies_refuses_UPDATE BEFORE UPDATE ON studies BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER studies_refuses_DELETE BEFORE DELETE ON studies BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER events_refuses_UPDATE BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER events_refuses_DELETE BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER revisions_refuses_UPDATE BEFORE UPDATE ON revisions BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER revisions_refuses_DELETE BEFORE DELETE ON revisions BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER runs_refuses_UPDATE BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER runs_refuses_DELETE BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER verdicts_refuses_UPDATE BEFORE UPDATE ON verdicts BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER verdicts_refuses_DELETE BEFORE DELETE ON verdicts BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER experiments_refuses_UPDATE BEFORE UPDATE ON experiments BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER experiments_refuses_DELETE BEFORE DELETE ON experiments BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER measurements_refuses_UPDATE BEFORE UPDATE ON measurements BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER measurements_refuses_DELETE BEFORE DELETE ON measurements BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER outcomes_refuses_UPDATE BEFORE UPDATE ON outcomes BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER outcomes_refuses_DELETE BEFORE DELETE ON outcomes BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER uses_refuses_UPDATE BEFORE UPDATE ON uses BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END
;
CREATE TRIGGER uses_refuses_DELETE BEFORE DELETE ON uses BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END

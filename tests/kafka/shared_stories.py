"""Which tests run again with their streams in Kafka, and which of their modules' tests do not, and why.

What is not listed says nothing of where events lie (rights, forms, keys, the audit trail), or is of PostgreSQL's own tables: plans of
queries, merging, erasing, events for later, repeated ids, more partitions.
"""

from typing import Final

NOT_OFFERED_TIMED: Final = "Kafka has no events for later, and none that expire"
NOT_OFFERED_MORE: Final = "partitions cannot be added in Kafka"
NOT_OFFERED_ERASE: Final = "nothing is erased in Kafka"
NOT_OFFERED_IDS: Final = "Kafka remembers no ids"
BY_ITS_ROWS: Final = "it puts back the times of events, damages or counts them in PostgreSQL's own rows"
WHOLE_BATCHES: Final = "Kafka's retention knows no batches: it takes exactly what may go"
IN_A_TRANSACTION: Final = "it does in a transaction what no request does, and no engine is asked inside one"
WITHOUT_TIMES: Final = "in lists and metrics lag is told in events alone there: the times of events are not asked for"

LEFT_OUT: Final[dict[str, dict[str, str]]] = {
    # Consuming: offsets, leases, dead letters.
    "tests.consumers.test_acknowledging_losses": {},
    "tests.consumers.test_at_least_once": {},
    "tests.consumers.test_browser_leases": {},
    "tests.consumers.test_bulk_actions": {},
    "tests.consumers.test_bulk_api": {},
    "tests.consumers.test_calls_together": {},
    "tests.consumers.test_cloudevent_leases": {},
    "tests.consumers.test_counts": {
        "test_a_redrive_that_is_acked_while_a_seek_commits_is_finished_all_the_same": IN_A_TRANSACTION,
    },
    "tests.consumers.test_dead_letter_search": {},
    "tests.consumers.test_dead_letters": {},
    "tests.consumers.test_deleted_groups": {},
    "tests.consumers.test_deliveries_by_hand": {},
    "tests.consumers.test_delivery_order": {},
    "tests.consumers.test_edited_redrives": {},
    "tests.consumers.test_fairness": {},
    "tests.consumers.test_filtered_leases": {},
    "tests.consumers.test_filters_api": {},
    "tests.consumers.test_group_deletion": {},
    "tests.consumers.test_group_rights": {},
    "tests.consumers.test_held_keys": {},
    "tests.consumers.test_key_order": {
        "test_an_event_for_later_holds_up_its_key_and_one_behind_it_waits_for_its_own_time_too": NOT_OFFERED_TIMED,
        "test_an_event_that_has_expired_holds_up_nothing": NOT_OFFERED_TIMED,
        "test_what_expires_while_it_is_held_up_ends_at_once_however_many_of_its_key_there_are": NOT_OFFERED_TIMED,
        "test_the_next_of_a_key_goes_when_the_one_before_it_expires": NOT_OFFERED_TIMED,
        "test_partitions_that_are_added_keep_the_order_from_their_beginning": NOT_OFFERED_MORE,
    },
    "tests.consumers.test_lease_admin": {},
    "tests.consumers.test_lease_api": {},
    "tests.consumers.test_leasing": {
        "test_queries_and_rows_do_not_grow_with_the_size": "one query fewer there: nothing is erased, so nothing is held",
    },
    "tests.consumers.test_live": {
        "test_an_id_from_before_partitions_were_added_goes_on_in_all_of_them": NOT_OFFERED_MORE,
    },
    "tests.consumers.test_losses": {},
    "tests.consumers.test_order": {},
    "tests.consumers.test_paused_groups": {},
    "tests.consumers.test_poll": {
        "test_a_partition_reference_names_its_stream": "a reference has epochs there",
        "test_a_group_that_goes_on_reading_costs_two_statements_a_poll_and_two_a_commit": "Kafka is asked one of the two",
    },
    "tests.consumers.test_recovery": {
        "test_while_one_is_being_leased_another_gets_the_next": IN_A_TRANSACTION,
    },
    "tests.consumers.test_reported_copies": {"test_what_was_erased_is_not_brought_back": NOT_OFFERED_ERASE},
    "tests.consumers.test_seek": {},
    "tests.consumers.test_shared_commits": {},
    "tests.consumers.test_states": {},
    "tests.consumers.test_timeline": {
        "test_an_event_for_later_is_scheduled_until_it_is_due": NOT_OFFERED_TIMED,
        "test_an_event_that_expired_is_told_to_have_done_so": NOT_OFFERED_TIMED,
    },
    # Appending and reading, schemas, CloudEvents, retention.
    "tests.streams.test_append": {
        "test_a_stream_that_was_made_anew_elsewhere_takes_events_at_once": (
            "Kafka does not know that a stream is gone: its name is free when no worker remembers it any more"
        ),
    },
    "tests.streams.test_cloudevents_hostile": {},
    "tests.streams.test_cloudevents_in": {
        "test_an_id_counts_once_in_its_stream_whatever_the_source": NOT_OFFERED_IDS,
    },
    "tests.streams.test_cloudevents_out": {"test_an_erased_event_says_so_and_has_no_data": NOT_OFFERED_ERASE},
    "tests.streams.test_grants": {},
    "tests.streams.test_producers": {},
    "tests.streams.test_retention_changes": {
        "test_what_deletes_nothing_needs_no_confirmation": WHOLE_BATCHES,
        "test_a_change_that_lowers_no_limit_asks_the_log_nothing": "it counts statements that PostgreSQL's log asks",
        "test_what_is_told_is_what_goes_in_each_partition": BY_ITS_ROWS,
        "test_what_goes_anyway_is_not_told_of_a_change": BY_ITS_ROWS,
        "test_age_may_leave_nothing_and_then_says_so": BY_ITS_ROWS,
        "test_where_not_all_batches_are_weighed_it_is_told_as_at_least": WHOLE_BATCHES,
        "test_where_it_is_not_known_what_goes_anyway_all_of_it_is_told": WHOLE_BATCHES,
        "test_the_admin_refuses_and_says_where_it_is_asked_for": "the administration asks no engine what would go",
    },
    "tests.streams.test_traceparent": {},
    "tests.streams.schemas.test_scenario": {},
    # Stats, lag, series, history.
    "tests.observability.test_activity": {},
    "tests.observability.test_group_stats": {},
    "tests.observability.test_metrics_page": {
        "test_numbers_of_streams_and_groups_are_those_of_the_log": WITHOUT_TIMES,
    },
    "tests.observability.test_rollups": {
        "test_events_and_bytes_are_counted_by_minute": BY_ITS_ROWS,
        "test_types_are_counted_by_minute_and_by_hour": BY_ITS_ROWS,
        "test_roll_ups_are_deleted_after_thirty_days_and_not_before": BY_ITS_ROWS,
        "test_what_is_erased_counts_as_large_as_it_was": NOT_OFFERED_ERASE,
    },
    "tests.observability.test_stats": {
        "test_the_series_has_every_minute_of_the_window_in_order": BY_ITS_ROWS,
        "test_lag_is_exact_at_every_moment": WITHOUT_TIMES,
        "test_lag_in_seconds_is_the_age_of_the_first_unfinished_event": BY_ITS_ROWS,
        "test_what_retention_took_before_the_group_came_by_is_told": WITHOUT_TIMES,
        "test_the_risk_of_retention_by_age": WITHOUT_TIMES,
    },
    "tests.observability.test_stream_history": {
        "test_each_setting_with_what_was_before": "it changes ids that are stored once, and partitions",
        "test_schemas_erasures_and_imports": NOT_OFFERED_ERASE,
    },
    "tests.observability.test_tails": {},
    # Commands (tail, export, import, verify), pages, alerts.
    "tests.observability.test_commands": {
        "test_tail_follows_partitions_that_are_added": NOT_OFFERED_MORE,
        "test_what_was_erased_is_exported_and_imported_as_erased": NOT_OFFERED_ERASE,
        "test_what_is_for_later_or_expires_does_so_after_an_import_when_it_was_to": NOT_OFFERED_TIMED,
        "test_an_import_that_was_broken_off_can_be_repeated_where_ids_are_stored_once": NOT_OFFERED_IDS,
        "test_merged_batches_verify": BY_ITS_ROWS,
        "test_merged_batches_whose_times_are_not_those_of_their_row_do_not_verify": BY_ITS_ROWS,
        "test_a_damaged_log_does_not_verify": BY_ITS_ROWS,
    },
    "tests.observability.alerts.test_what_is_watched": {
        "test_retention_that_comes_near": WITHOUT_TIMES,
        "test_engines_that_are_away": "it has an engine of its own",
    },
    "tests.observability.dashboard.test_dead_letters": {},
    "tests.observability.dashboard.test_deliveries": {},
    "tests.observability.dashboard.test_event_scan": {},
    "tests.observability.dashboard.test_events_file": {},
    "tests.observability.dashboard.test_events_until": {},
    "tests.observability.dashboard.test_find": {},
    "tests.observability.dashboard.test_group_filters": {},
    "tests.observability.dashboard.test_group_over_time": {},
    "tests.observability.dashboard.test_held_leases": {},
    "tests.observability.dashboard.test_largest_streams": {},
    "tests.observability.dashboard.test_payload_files": {
        "test_what_was_erased_is_no_file_and_says_so": NOT_OFFERED_ERASE
    },
    "tests.observability.dashboard.test_payloads_and_schemas": {},
    "tests.observability.dashboard.test_send_many": {},
    # The module that says that all this is so.
    "tests.kafka.test_shared_stories": {},
}

"""What Bulk queries can be used for: the objects that they refuse, and the org's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesforce_bulk_client import JobFailed, RequestRefused, SalesforceError

if TYPE_CHECKING:
    from salesforce_bulk_client import SalesforceClient

NOT_IN_BULK = frozenset(
    """
    AcceptedEventRelation AccountBrandShare AccountFeed AssetFeed AssetTokenEvent AttachedContentDocument
    AttachedContentNote Attachment CaseStatus CaseTeamMember CaseTeamRole CaseTeamTemplate CaseTeamTemplateMember
    CaseTeamTemplateRecord ChannelProgramLevelShare CombinedAttachment ContentFolderItem ContractStatus
    DeclinedEventRelation EventWhoRelation FieldSecurityClassification FolderedContentDocument KnowledgeArticle
    KnowledgeArticleVersion KnowledgeArticleVersionHistory KnowledgeArticleViewStat KnowledgeArticleVoteStat
    LookedUpFromActivity NoteAndAttachment OpenActivity OrderStatus OwnedContentDocument PartnerRole
    QuoteTemplateRichTextData RecentlyViewed ServiceAppointmentStatus ShiftStatus SolutionStatus TaskPriority
    TaskStatus TaskWhoRelation UndecidedEventRelation UserRecordAccess WorkOrderLineItemStatus WorkOrderStatus
    """.split()  # noqa: SIM905  # reads better than a list
)
"""Status, relation and virtual tables: the lists of Airbyte's, Estuary's and MeltanoLabs' connectors together."""

_REFUSALS = ("is not supported by the Bulk API", "does not support query", "Cannot serialize value")
"""Salesforce uses several codes, ``API_ERROR`` among them, so only the message shows the reason."""


LIMITS = ("DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB", "DailyApiRequests")
"""The org's limits that a query job counts towards."""


def check_job_limits(client: SalesforceClient) -> None:
    """Check that the org's limits and the settings leave room for one more query job.

    Raises: QuotaError.
    """
    client.check_quota()
    client.check_limits(*LIMITS)


def is_refused_by_bulk(error: SalesforceError) -> bool:
    """Whether Salesforce says that Bulk queries cannot read an object, or a value of it."""
    if isinstance(error, RequestRefused) and error.code == "INVALIDENTITY":
        return True
    return isinstance(error, (RequestRefused, JobFailed)) and any(words in str(error) for words in _REFUSALS)

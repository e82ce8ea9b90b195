"""Which objects Bulk queries refuse: as connectors know them, and as Salesforce says when it is asked."""

from __future__ import annotations

from salesforce_bulk_client import JobFailed, RequestRefused, SalesforceError

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
"""Salesforce gives several codes, and ``API_ERROR``, to what only these words tell apart."""


def is_refused_by_bulk(error: SalesforceError) -> bool:
    """Whether this is how Salesforce says that an object, or a value of it, cannot be read by Bulk."""
    if isinstance(error, RequestRefused) and error.code == "INVALIDENTITY":
        return True
    return isinstance(error, (RequestRefused, JobFailed)) and any(words in str(error) for words in _REFUSALS)

"""How grants look in answers, of whatever they are."""

from rest_framework import serializers


class GivenGrantSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    user = serializers.CharField(source="user.email", allow_null=True, default=None)
    team = serializers.CharField(source="team.name", allow_null=True, default=None)
    rights = serializers.ListField(child=serializers.CharField())
    granted_by = serializers.CharField()
    created_at = serializers.DateTimeField()

"""May this caller do it at all? Each view names one of these; what depends on the stream, services decide."""

from typing import Any

from rest_framework.permissions import BasePermission

from accounts.errors import CredentialsMissing, ScopeMissing
from accounts.roles import Right


class NobodyUnlessNamed(BasePermission):
    """The default: a view that names no permission is closed to everybody."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return False


class Anyone(BasePermission):
    """Open: sign-in and its like."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return True


class AnyCaller(BasePermission):
    """Whoever proved who they are; the answer depends on what they may see."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.user is None:
            raise CredentialsMissing("Send `Authorization: Bearer <access token>` or `X-API-Key: evf_…`.")
        return True


class AdminOnly(AnyCaller):
    """Admins, and keys with the scope `admin`; for the rest it is forbidden, not hidden: the route is documented."""

    def has_permission(self, request: Any, view: Any) -> bool:
        super().has_permission(request, view)
        if not request.user.sees_everybody:
            raise ScopeMissing("This needs the admin role, and if a key is used its scope `admin` on every stream.")
        return True


class _MayUseRight(AnyCaller):
    right: Right

    def has_permission(self, request: Any, view: Any) -> bool:
        super().has_permission(request, view)
        if not request.user.has_right(self.right):
            raise ScopeMissing(f"This needs the right to {self.right}: by role, and by scope if a key is used.")
        return True


class MayProduce(_MayUseRight):
    right = Right.PRODUCE


class MayConsume(_MayUseRight):
    right = Right.CONSUME


class MayManage(_MayUseRight):
    right = Right.MANAGE


class MayManageUnlessReading(AnyCaller):
    """Reading takes any caller; changing takes the right to manage."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return super().has_permission(request, view)
        return MayManage().has_permission(request, view)


class PersonOnly(AnyCaller):
    """A person with a token: a key must not be able to make further keys."""

    def has_permission(self, request: Any, view: Any) -> bool:
        super().has_permission(request, view)
        if request.user.key_id is not None:
            raise ScopeMissing("API keys cannot do this: sign in and use an access token.")
        return True


class PersonWithRole(PersonOnly):
    """A person who may do something at all."""

    def has_permission(self, request: Any, view: Any) -> bool:
        super().has_permission(request, view)
        if not request.user.rights:
            raise ScopeMissing("This needs a role. Ask an admin for one.")
        return True


class MayConsumeOrProduce(AnyCaller):
    """An address with both verbs: reading takes the right to consume, appending the right to produce."""

    def has_permission(self, request: Any, view: Any) -> bool:
        verb = MayProduce if request.method == "POST" else MayConsume
        return verb().has_permission(request, view)

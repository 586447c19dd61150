from django.contrib.admin import AdminSite


class EventFlowAdminSite(AdminSite):
    """The admin with EventFlow's name on it and a way back to the dashboard."""

    site_header = "EventFlow"
    site_title = "EventFlow admin"
    index_title = "Administration"
    site_url = "/"
    enable_nav_sidebar = True

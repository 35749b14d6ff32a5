"""Where a request's tables lie, in PyIceberg's words."""


def s3_properties(request):
    """The properties that a catalog needs of the store of a request; none for a local folder."""
    if s3 := request.get("s3"):
        return {
            "s3.endpoint": s3["endpoint"],
            "s3.region": s3["region"],
            "s3.access-key-id": s3["accessKeyId"],
            "s3.secret-access-key": s3["secretAccessKey"],
        }
    return {}

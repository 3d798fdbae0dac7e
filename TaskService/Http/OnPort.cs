namespace TaskService.Http;

/// <summary>
/// Metadata of endpoints that have a port of their own: they are not there on others, and others are not there, but for
/// those that are on <see cref="All"/>. The port is that of the connection, since a client chooses what it writes in
/// <c>Host</c>.
/// </summary>
internal sealed class OnPort
{
    /// <summary>For endpoints of the port of the service that are on the other one as well.</summary>
    public static readonly OnPort All = new(isOwn: true, isCommon: true);

    /// <summary>For endpoints of the other port alone.</summary>
    public static readonly OnPort Own = new(isOwn: true, isCommon: false);

    private readonly bool isOwn;
    private readonly bool isCommon;

    private OnPort(bool isOwn, bool isCommon) => (this.isOwn, this.isCommon) = (isOwn, isCommon);

    /// <summary>Takes away the endpoint that routing has found, where it is not on the port.</summary>
    /// <param name="app">Has routing already.</param>
    /// <param name="port">Null when all endpoints are on all ports.</param>
    public static void Use(IApplicationBuilder app, int? port)
    {
        if (port is null)
        {
            return;
        }
        app.Use(next => http =>
        {
            if (http.GetEndpoint() is { } endpoint
                && !IsThere(endpoint.Metadata.GetMetadata<OnPort>(), http.Connection.LocalPort == port))
            {
                http.SetEndpoint(null);
                http.Request.RouteValues.Clear();
            }
            return next(http);
        });
    }

    private static bool IsThere(OnPort? place, bool isOwnPort) =>
        isOwnPort ? place?.isOwn == true : place is null || place.isCommon;
}
